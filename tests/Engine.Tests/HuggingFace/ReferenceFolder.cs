using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Slm.Engine.Formats;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.HuggingFace;

/// <summary>
/// A reference model as a Hugging Face folder: what a GGUF file has was turned back into the names, orders and numbers of the
/// models' own code, written here from that code's definitions and not from what the engine does.
/// </summary>
internal sealed class ReferenceFolder : IDisposable
{
    private readonly List<(string Name, string Type, long[] Shape, byte[] Data)> _tensors = [];
    private readonly GgufFile _gguf;
    private readonly string _architecture;

    public ReferenceFolder(string name)
        : this(name, ReferenceModels.Path(name))
    {
    }

    /// <summary>The same of another file.</summary>
    public ReferenceFolder(string name, string path)
    {
        _gguf = GgufFile.Open(path);
        _architecture = (string)_gguf.Metadata["general.architecture"];
        switch (name)
        {
            case "mamba2-f32" or "mamba2-f16":
                Mamba();
                break;
            case "falcon-h1-f32":
                Falcon(rounded: false);
                break;
            case "falcon-h1-norm-f16":
                Falcon(rounded: true);
                break;
            case "t5-f32":
                T5();
                break;
            case "bert":
                Bert();
                break;
            case "nomic-bert":
                NomicBert();
                break;
            case "modern-bert":
                ModernBert();
                break;
            default:
                Decoder(name);
                break;
        }
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("slm-folder-").FullName;

    /// <summary>config.json.</summary>
    public JsonObject Config { get; } = [];

    public IEnumerable<string> Names => _tensors.Select(t => t.Name);

    public void Remove(string name) => Assert.Equal(1, _tensors.RemoveAll(t => t.Name == name));

    public void AddTensor(string name, string type, long[] shape, byte[] data) => _tensors.Add((name, type, shape, data));

    /// <summary>Writes the folder.</summary>
    /// <param name="shards">Number of files; from 2 on with an index.</param>
    /// <param name="alignment">Multiple of which the header's end is; with 1 no number is where a processor likes it.</param>
    public string Write(int shards = 1, int alignment = 8)
    {
        File.WriteAllText(Path.Combine(Folder, "config.json"), Config.ToJsonString());
        var map = new JsonObject();
        for (var s = 0; s < shards; s++)
        {
            var name = shards == 1 ? "model.safetensors" : string.Create(CultureInfo.InvariantCulture, $"model-{s + 1:d5}-of-{shards:d5}.safetensors");
            var writer = new SafetensorsWriter(alignment);
            writer.Metadata["format"] = alignment == 1 ? "pt " : "pt";
            foreach (var (tensor, type, shape, data) in _tensors.Where((_, i) => i % shards == s))
            {
                writer.Add(tensor, type, shape, data);
                map[tensor] = name;
            }

            File.WriteAllBytes(Path.Combine(Folder, name), writer.ToArray());
        }

        if (shards > 1)
            File.WriteAllText(Path.Combine(Folder, "model.safetensors.index.json"), new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
        return Folder;
    }

    public void Dispose()
    {
        _gguf.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private int Int(string key) => Convert.ToInt32(_gguf.Metadata[$"{_architecture}.{key}"], CultureInfo.InvariantCulture);

    private double Float(string key) => (float)_gguf.Metadata[$"{_architecture}.{key}"];

    private bool Has(string name) => _gguf.TryGetTensor(name, out _);

    private void Decoder(string name)
    {
        var llama = _architecture is "llama" or "minicpm";
        Config["model_type"] = name == "llama-moe-f16" ? "mixtral" : _architecture switch { "qwen3moe" => "qwen3_moe", "qwen2moe" => "qwen2_moe", "gemma3" => "gemma3_text", var other => other };
        if (_architecture == "smallthinker")
        {
            // As published: no model_type.
            Config.Remove("model_type");
            Config["architectures"] = new JsonArray("SmallThinkerForCausalLM");
        }

        var (hidden, heads) = (Int("embedding_length"), Int("attention.head_count"));
        var headSize = _gguf.Metadata.ContainsKey($"{_architecture}.attention.key_length") ? Int("attention.key_length") : hidden / heads;
        Config["hidden_size"] = hidden;
        Config["num_hidden_layers"] = Int("block_count");
        Config["intermediate_size"] = Int("feed_forward_length");
        Config["num_attention_heads"] = heads;
        Config["num_key_value_heads"] = Int("attention.head_count_kv");
        Config["max_position_embeddings"] = Int("context_length");
        Config["rms_norm_eps"] = Float("attention.layer_norm_rms_epsilon");
        Config["vocab_size"] = (int)_gguf.Tensors.Single(t => t.Name == "token_embd.weight").Shape[1];
        if (_gguf.Metadata.ContainsKey($"{_architecture}.rope.freq_base"))
            Config["rope_theta"] = Float("rope.freq_base");
        if (headSize * heads != hidden)
            Config["head_dim"] = headSize;
        Special(name, headSize);
        float[] OneLess(float[] v) => _architecture == "gemma3" ? [.. v.Select(w => w - 1)] : v;
        Add("model.embed_tokens.weight", "token_embd.weight");
        Add("model.norm.weight", "output_norm.weight", OneLess);
        if (Has("output.weight"))
            Add("lm_head.weight", "output.weight");
        Config["tie_word_embeddings"] = !Has("output.weight");
        for (var i = 0; i < Int("block_count"); i++)
        {
            var (blk, layer) = ($"blk.{i}.", $"model.layers.{i}.");
            foreach (var tensor in _gguf.Tensors.Where(t => t.Name.StartsWith(blk, StringComparison.Ordinal)))
            {
                var part = tensor.Name[blk.Length..];
                if (part.Contains("_exps", StringComparison.Ordinal))
                    Experts(tensor.Name, layer);
                else
                    Add(layer + NameOf(part), tensor.Name, shape: part == "ffn_gate_inp_shexp.weight" ? [1, hidden] : null, change: part.Contains("norm", StringComparison.Ordinal) ? OneLess
                        : llama && part is "attn_q.weight" or "attn_k.weight" ? v => Halves(v, headSize, hidden) : null);
            }
        }
    }

    private string NameOf(string part)
    {
        var gemma = _architecture == "gemma3";
        var (name, suffix) = (part[..part.LastIndexOf('.')], part[part.LastIndexOf('.')..]);
        return name switch
        {
            "attn_norm" => "input_layernorm",
            "attn_q" => "self_attn.q_proj",
            "attn_k" => "self_attn.k_proj",
            "attn_v" => "self_attn.v_proj",
            "attn_output" => "self_attn.o_proj",
            "attn_q_norm" => "self_attn.q_norm",
            "attn_k_norm" => "self_attn.k_norm",
            "attn_qkv" => "self_attn.qkv_proj",
            "attn_q_a" => "self_attn.q_a_proj",
            "attn_q_a_norm" => "self_attn.q_a_layernorm",
            "attn_q_b" => "self_attn.q_b_proj",
            "attn_kv_a_mqa" => "self_attn.kv_a_proj_with_mqa",
            "attn_kv_a_norm" => "self_attn.kv_a_layernorm",
            "attn_kv_b" => "self_attn.kv_b_proj",
            "post_attention_norm" => "post_attention_layernorm",
            "ffn_norm" => gemma ? "pre_feedforward_layernorm" : "post_attention_layernorm",
            "post_ffw_norm" => "post_feedforward_layernorm",
            "ffn_gate" => "mlp.gate_proj",
            "ffn_up" => _architecture == "phi3" ? "mlp.gate_up_proj" : "mlp.up_proj",
            "ffn_down" => "mlp.down_proj",
            "ffn_gate_shexp" => "mlp.shared_expert.gate_proj",
            "ffn_up_shexp" => "mlp.shared_expert.up_proj",
            "ffn_down_shexp" => "mlp.shared_expert.down_proj",
            "ffn_gate_inp_shexp" => "mlp.shared_expert_gate",
            "ffn_gate_inp" => _architecture switch { "smallthinker" => "block_sparse_moe.primary_router", "llama" => "block_sparse_moe.gate", _ => "mlp.gate" },
            _ => throw new KeyNotFoundException(part),
        } + suffix;
    }

    private void Special(string name, int headSize)
    {
        switch (name)
        {
            case "llama-rope3-bf16":
                Config["rope_scaling"] = JsonNode.Parse("""{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":64}""");
                break;
            case "llama-linear-rope-f32":
                Config["rope_scaling"] = JsonNode.Parse("""{"type":"linear","factor":4.0}""");
                break;
            case "llama-yarn-f32":
                Config.Remove("rope_theta");
                Config["rope_parameters"] = JsonNode.Parse("""{"rope_type":"yarn","rope_theta":10000.0,"factor":4.0,"original_max_position_embeddings":16}""");
                break;
            case "llama-moe-f16":
                Config["num_local_experts"] = Int("expert_count");
                Config["num_experts_per_tok"] = Int("expert_used_count");
                break;
            case "qwen2moe":
                Config["num_experts"] = Int("expert_count");
                Config["num_experts_per_tok"] = Int("expert_used_count");
                Config["moe_intermediate_size"] = Int("expert_feed_forward_length");
                Config["shared_expert_intermediate_size"] = Int("expert_shared_feed_forward_length");
                Config["norm_topk_prob"] = false;
                break;
            case "phi3":
                Config["partial_rotary_factor"] = (double)Int("rope.dimension_count") / headSize;
                Config["original_max_position_embeddings"] = Int("rope.scaling.original_context_length");
                Config["sliding_window"] = Int("attention.sliding_window");
                Config["rope_scaling"] = new JsonObject
                {
                    ["type"] = "longrope",
                    ["long_factor"] = Numbers("rope_factors_long.weight"),
                    ["short_factor"] = Numbers("rope_factors_short.weight"),
                };
                break;
            case "minicpm3":
                Config["q_lora_rank"] = Int("attention.q_lora_rank");
                Config["kv_lora_rank"] = Int("attention.kv_lora_rank");
                Config["qk_rope_head_dim"] = Int("rope.dimension_count");
                Config["qk_nope_head_dim"] = Int("attention.key_length") - Int("rope.dimension_count");
                Config["v_head_dim"] = Int("attention.value_length");
                Config["scale_emb"] = 12;
                Config["scale_depth"] = 1.4;
                Config["dim_model_base"] = 256;
                Config.Remove("head_dim");
                break;
            case "qwen3moe-f32":
                Config["num_experts"] = Int("expert_count");
                Config["num_experts_per_tok"] = Int("expert_used_count");
                Config["moe_intermediate_size"] = Int("expert_feed_forward_length");
                Config["norm_topk_prob"] = true;
                break;
            case "qwen2-f32":
                Config["sliding_window"] = 32768;
                Config["use_sliding_window"] = true;
                Config["max_window_layers"] = Int("block_count");
                break;
            case "gemma3-f32":
                Config["query_pre_attn_scalar"] = headSize;
                Config["sliding_window"] = Int("attention.sliding_window");
                Config["rope_local_base_freq"] = 10000.0;
                Config["sliding_window_pattern"] = 6;
                Config["hidden_activation"] = "gelu_pytorch_tanh";
                break;
            case "minicpm-f32":
                Config["scale_emb"] = 12;
                Config["scale_depth"] = 1.4;
                Config["dim_model_base"] = Int("embedding_length") / 2;
                break;
            case "plm-f32":
                Config["hidden_act"] = "relu2";
                Config["kv_lora_rank"] = Int("attention.kv_lora_rank");
                Config["q_lora_rank"] = null;
                Config["qk_rope_head_dim"] = Int("rope.dimension_count");
                Config["qk_nope_head_dim"] = Int("attention.key_length") - Int("rope.dimension_count");
                Config["v_head_dim"] = Int("attention.value_length");
                Config.Remove("head_dim");
                break;
            case "smallthinker-f32" or "smallthinker-softmax-f16":
                var windows = name == "smallthinker-f32";
                Config.Remove("intermediate_size");
                Config["moe_num_primary_experts"] = Int("expert_count");
                Config["moe_num_active_primary_experts"] = Int("expert_used_count");
                Config["moe_ffn_hidden_size"] = Int("expert_feed_forward_length");
                Config["moe_primary_router_apply_softmax"] = !windows;
                Config["sliding_window_size"] = 4096;
                Config["sliding_window_layout"] = new JsonArray([.. Enumerable.Range(0, Int("block_count")).Select(i => (JsonNode)(windows && i % 4 > 0 ? 1 : 0))]);
                Config["rope_layout"] = new JsonArray([.. Enumerable.Range(0, Int("block_count")).Select(i => (JsonNode)(windows && i % 4 == 0 ? 0 : 1))]);
                break;
        }
    }

    private JsonArray Numbers(string name)
    {
        Assert.True(_gguf.TryGetTensor(name, out var tensor));
        return new JsonArray([.. MemoryMarshal.Cast<byte, float>(_gguf.Bytes(tensor)).ToArray().Select(v => (JsonNode)v)]);
    }

    private void NomicBert()
    {
        Config["model_type"] = "nomic_bert";
        Config["n_embd"] = Int("embedding_length");
        Config["n_layer"] = Int("block_count");
        Config["n_inner"] = Int("feed_forward_length");
        Config["n_head"] = Int("attention.head_count");
        Config["n_positions"] = Int("context_length");
        Config["layer_norm_epsilon"] = Float("attention.layer_norm_epsilon");
        Config["rotary_emb_base"] = Float("rope.freq_base");
        Config["rotary_emb_fraction"] = 1.0;
        Config["activation_function"] = "swiglu";
        Config["prenorm"] = false;
        Rename(
            "encoder.layers.",
            ("token_embd_norm", "emb_ln"), ("token_embd", "embeddings.word_embeddings"), ("token_types", "embeddings.token_type_embeddings"), ("attn_qkv", "attn.Wqkv"),
            ("attn_output_norm", "norm1"), ("layer_output_norm", "norm2"), ("attn_output", "attn.out_proj"), ("ffn_up", "mlp.fc11"), ("ffn_gate", "mlp.fc12"), ("ffn_down", "mlp.fc2"));
    }

    private void ModernBert()
    {
        Config["model_type"] = "modernbert";
        Config["hidden_size"] = Int("embedding_length");
        Config["num_hidden_layers"] = Int("block_count");
        Config["intermediate_size"] = Int("feed_forward_length");
        Config["num_attention_heads"] = Int("attention.head_count");
        Config["max_position_embeddings"] = Int("context_length");
        Config["norm_eps"] = Float("attention.layer_norm_epsilon");
        Config["global_rope_theta"] = Float("rope.freq_base");
        Config["local_rope_theta"] = Float("rope.freq_base_swa");
        Config["local_attention"] = Int("attention.sliding_window");
        Config["global_attn_every_n_layers"] = 3;
        Config["hidden_activation"] = "gelu";
        Rename(
            "model.layers.",
            ("token_embd_norm", "model.embeddings.norm"), ("token_embd", "model.embeddings.tok_embeddings"), ("output_norm", "model.final_norm"), ("attn_qkv", "attn.Wqkv"),
            ("attn_output", "attn.Wo"), ("ffn_norm", "mlp_norm"), ("ffn_up", "mlp.Wi"), ("ffn_down", "mlp.Wo"));
        AddTensor("head.dense.weight", "F32", [1, 1], new byte[4]);
        AddTensor("decoder.bias", "F32", [1], new byte[4]);
    }

    /// <summary>Tensors by the first of the names that theirs has, or by their own.</summary>
    private void Rename(string layers, params ReadOnlySpan<(string From, string To)> names)
    {
        foreach (var tensor in _gguf.Tensors)
        {
            var name = tensor.Name.Replace("blk.", layers, StringComparison.Ordinal);
            foreach (var (from, to) in names)
            {
                if (!name.Contains(from + ".", StringComparison.Ordinal))
                    continue;
                name = name.Replace(from, to, StringComparison.Ordinal);
                break;
            }

            Add(name, tensor.Name);
        }
    }

    private void Bert()
    {
        Config["model_type"] = "bert";
        Config["architectures"] = new JsonArray("BertForMaskedLM");
        Config["hidden_size"] = Int("embedding_length");
        Config["num_hidden_layers"] = Int("block_count");
        Config["intermediate_size"] = Int("feed_forward_length");
        Config["num_attention_heads"] = Int("attention.head_count");
        Config["max_position_embeddings"] = Int("context_length");
        Config["layer_norm_eps"] = Float("attention.layer_norm_epsilon");
        Config["hidden_act"] = "gelu";
        Rename(
            "bert.encoder.layer.",
            ("token_embd_norm", "bert.embeddings.LayerNorm"), ("token_embd", "bert.embeddings.word_embeddings"), ("position_embd", "bert.embeddings.position_embeddings"),
            ("token_types", "bert.embeddings.token_type_embeddings"), ("attn_output_norm", "attention.output.LayerNorm"), ("layer_output_norm", "output.LayerNorm"),
            ("attn_output", "attention.output.dense"), ("attn_q", "attention.self.query"), ("attn_k", "attention.self.key"), ("attn_v", "attention.self.value"),
            ("ffn_up", "intermediate.dense"), ("ffn_down", "output.dense"));
        AddTensor("bert.pooler.dense.weight", "F32", [1, 1], new byte[4]);
        AddTensor("bert.embeddings.position_ids", "I64", [1, 1], new byte[8]);
        AddTensor("cls.predictions.bias", "F32", [1], new byte[4]);
    }

    private void Experts(string name, string layer)
    {
        Assert.True(_gguf.TryGetTensor(name, out var tensor));
        var kind = name.Split('.')[2] switch { "ffn_gate_exps" => 0, "ffn_up_exps" => 1, _ => 2 };
        string[] names = _architecture switch { "smallthinker" => ["gate", "up", "down"], "llama" => ["w1", "w3", "w2"], _ => ["gate_proj", "up_proj", "down_proj"] };
        var bytes = _gguf.Bytes(tensor).ToArray();
        var count = (int)tensor.Shape[2];
        for (var e = 0; e < count; e++)
        {
            _tensors.Add((
                $"{layer}{(_architecture is "qwen2moe" or "qwen3moe" ? "mlp" : "block_sparse_moe")}.experts.{e}.{names[kind]}.weight",
                tensor.Type.ToString(), [tensor.Shape[1], tensor.Shape[0]], bytes[(e * bytes.Length / count)..((e + 1) * bytes.Length / count)]));
        }
    }

    private void Mamba()
    {
        Config["model_type"] = "mamba2";
        Config["hidden_size"] = Int("embedding_length");
        Config["num_hidden_layers"] = Int("block_count");
        Config["num_heads"] = Int("ssm.time_step_rank");
        Config["head_dim"] = Int("ssm.inner_size") / Int("ssm.time_step_rank");
        Config["n_groups"] = Int("ssm.group_count");
        Config["state_size"] = Int("ssm.state_size");
        Config["conv_kernel"] = Int("ssm.conv_kernel");
        Config["layer_norm_epsilon"] = Float("attention.layer_norm_rms_epsilon");
        Config["tie_word_embeddings"] = !Has("output.weight");
        Add("backbone.embeddings.weight", "token_embd.weight");
        Add("backbone.norm_f.weight", "output_norm.weight");
        if (Has("output.weight"))
            Add("lm_head.weight", "output.weight");
        for (var i = 0; i < Int("block_count"); i++)
        {
            Add($"backbone.layers.{i}.norm.weight", $"blk.{i}.attn_norm.weight");
            Add($"backbone.layers.{i}.mixer.in_proj.weight", $"blk.{i}.ssm_in.weight");
            MambaLayer($"blk.{i}.", $"backbone.layers.{i}.mixer.");
            Add($"backbone.layers.{i}.mixer.out_proj.weight", $"blk.{i}.ssm_out.weight");
        }
    }

    private void MambaLayer(string blk, string to)
    {
        long channels = Int("ssm.inner_size") + (2 * Int("ssm.group_count") * Int("ssm.state_size"));
        Add(to + "conv1d.weight", blk + "ssm_conv1d.weight", shape: [channels, 1, Int("ssm.conv_kernel")]);
        Add(to + "conv1d.bias", blk + "ssm_conv1d.bias");
        Add(to + "dt_bias", blk + "ssm_dt.bias");
        Add(to + "A_log", blk + "ssm_a", v => [.. v.Select(a => (float)Math.Log(-(double)a))], [Int("ssm.time_step_rank")]);
        Add(to + "D", blk + "ssm_d", shape: [Int("ssm.time_step_rank")]);
        if (Has(blk + "ssm_norm.weight"))
            Add(to + "norm.weight", blk + "ssm_norm.weight", shape: [Int("ssm.inner_size")]);
    }

    /// <summary>The multipliers are divided out of what the file has; powers of two where halves must stay exact.</summary>
    private void Falcon(bool rounded)
    {
        double[] All(params double[] values) => rounded ? [.. values.Select(v => Math.Pow(2, Math.Round(Math.Log2(v))))] : values;
        var m = All(5.656854, 0.0390625, 0.9, 0.35, 0.6, 1.3, 0.24);
        var (embedding, head, key, attentionIn, attentionOut, ssmIn, ssmOut) = (m[0], m[1], m[2], m[3], m[4], m[5], m[6]);
        var ssm = All(0.354, 0.25, 0.177, 0.5, 0.707);
        var mlp = All(0.884, 0.589);
        Config["model_type"] = "falcon_h1";
        Config["hidden_size"] = Int("embedding_length");
        Config["num_hidden_layers"] = Int("block_count");
        Config["intermediate_size"] = Int("feed_forward_length");
        Config["num_attention_heads"] = Int("attention.head_count");
        Config["num_key_value_heads"] = Int("attention.head_count_kv");
        Config["head_dim"] = Int("attention.key_length");
        Config["max_position_embeddings"] = Int("context_length");
        Config["rms_norm_eps"] = Float("attention.layer_norm_rms_epsilon");
        Config["rope_theta"] = Float("rope.freq_base");
        Config["mamba_d_ssm"] = Int("ssm.inner_size");
        Config["mamba_n_heads"] = Int("ssm.time_step_rank");
        Config["mamba_n_groups"] = Int("ssm.group_count");
        Config["mamba_d_state"] = Int("ssm.state_size");
        Config["mamba_d_conv"] = Int("ssm.conv_kernel");
        Config["mamba_rms_norm"] = rounded;
        Config["mamba_norm_before_gate"] = false;
        Config["embedding_multiplier"] = embedding;
        Config["lm_head_multiplier"] = head;
        Config["key_multiplier"] = key;
        Config["attention_in_multiplier"] = attentionIn;
        Config["attention_out_multiplier"] = attentionOut;
        Config["ssm_in_multiplier"] = ssmIn;
        Config["ssm_out_multiplier"] = ssmOut;
        Config["ssm_multipliers"] = new JsonArray([.. ssm.Select(v => (JsonNode)v)]);
        Config["mlp_multipliers"] = new JsonArray([.. mlp.Select(v => (JsonNode)v)]);
        Config["tie_word_embeddings"] = false;
        static Func<float[], float[]> Without(double factor) => v => [.. v.Select(w => (float)(w / factor))];
        Add("model.embed_tokens.weight", "token_embd.weight", Without(embedding));
        Add("model.final_layernorm.weight", "output_norm.weight");
        Add("lm_head.weight", "output.weight", Without(head));
        var (inner, group, hidden) = (Int("ssm.inner_size"), Int("ssm.group_count") * Int("ssm.state_size"), Int("embedding_length"));
        for (var i = 0; i < Int("block_count"); i++)
        {
            var (blk, to) = ($"blk.{i}.", $"model.layers.{i}.");
            Add(to + "input_layernorm.weight", blk + "attn_norm.weight");
            Add(to + "self_attn.q_proj.weight", blk + "attn_q.weight", Without(attentionIn));
            Add(to + "self_attn.k_proj.weight", blk + "attn_k.weight", Without(attentionIn * key));
            Add(to + "self_attn.v_proj.weight", blk + "attn_v.weight", Without(attentionIn));
            Add(to + "self_attn.o_proj.weight", blk + "attn_output.weight", Without(attentionOut));
            Add(to + "mamba.in_proj.weight", blk + "ssm_in.weight", v => [.. v.Select((w, at) =>
            {
                var row = at / hidden;
                var segment = row < inner ? 0 : row < 2 * inner ? 1 : row < (2 * inner) + group ? 2 : row < 2 * (inner + group) ? 3 : 4;
                return (float)(w / (ssmIn * ssm[segment]));
            })]);
            MambaLayer(blk, to + "mamba.");
            Add(to + "mamba.out_proj.weight", blk + "ssm_out.weight", Without(ssmOut));
            Add(to + "pre_ff_layernorm.weight", blk + "ffn_norm");
            Add(to + "feed_forward.gate_proj.weight", blk + "ffn_gate.weight", Without(mlp[0]));
            Add(to + "feed_forward.up_proj.weight", blk + "ffn_up.weight");
            Add(to + "feed_forward.down_proj.weight", blk + "ffn_down.weight", Without(mlp[1]));
        }
    }

    private void T5()
    {
        Config["model_type"] = "t5";
        Config["d_model"] = Int("embedding_length");
        Config["d_ff"] = Int("feed_forward_length");
        Config["d_kv"] = Int("attention.key_length");
        Config["num_layers"] = Int("block_count");
        Config["num_heads"] = Int("attention.head_count");
        Config["relative_attention_num_buckets"] = Int("attention.relative_buckets_count");
        Config["layer_norm_epsilon"] = Float("attention.layer_norm_rms_epsilon");
        Config["feed_forward_proj"] = "gated-gelu";
        Config["tie_word_embeddings"] = false;
        Config["decoder_start_token_id"] = 0;
        Add("shared.weight", "token_embd.weight");
        Add("encoder.embed_tokens.weight", "token_embd.weight");
        Add("lm_head.weight", "output.weight");
        foreach (var (name, stack) in new[] { ("enc", "encoder"), ("dec", "decoder") })
        {
            Add(stack + ".final_layer_norm.weight", name + ".output_norm.weight");
            Add(stack + ".block.0.layer.0.SelfAttention.relative_attention_bias.weight", name + ".blk.0.attn_rel_b.weight");
            for (var i = 0; i < Int("block_count"); i++)
            {
                var (blk, to) = ($"{name}.blk.{i}.", $"{stack}.block.{i}.layer.");
                var last = name == "dec" ? 2 : 1;
                Add(to + "0.layer_norm.weight", blk + "attn_norm.weight");
                Add($"{to}{last}.layer_norm.weight", blk + "ffn_norm.weight");
                Add($"{to}{last}.DenseReluDense.wi_0.weight", blk + "ffn_gate.weight");
                Add($"{to}{last}.DenseReluDense.wi_1.weight", blk + "ffn_up.weight");
                Add($"{to}{last}.DenseReluDense.wo.weight", blk + "ffn_down.weight");
                foreach (var part in "qkvo")
                    Add($"{to}0.SelfAttention.{part}.weight", $"{blk}attn_{part}.weight");
                if (name == "enc")
                    continue;
                Add(to + "1.layer_norm.weight", blk + "cross_attn_norm.weight");
                foreach (var part in "qkvo")
                    Add($"{to}1.EncDecAttention.{part}.weight", $"{blk}cross_attn_{part}.weight");
            }
        }
    }

    /// <summary>Rows of neighbouring pairs (2i, 2i + 1) to halves (i, i + n/2).</summary>
    private static float[] Halves(float[] values, int headSize, int columns)
    {
        var turned = new float[values.Length];
        for (var r = 0; r < values.Length / columns; r++)
        {
            var (head, pair, second) = (r / headSize, r % headSize / 2, r % 2);
            var to = (head * headSize) + (second * headSize / 2) + pair;
            values.AsSpan(r * columns, columns).CopyTo(turned.AsSpan(to * columns));
        }

        return turned;
    }

    private void Add(string name, string from, Func<float[], float[]>? change = null, long[]? shape = null)
    {
        Assert.True(_gguf.TryGetTensor(from, out var tensor), from);
        var bytes = _gguf.Bytes(tensor).ToArray();
        var values = tensor.Type switch
        {
            TensorType.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            TensorType.F16 => [.. MemoryMarshal.Cast<byte, Half>(bytes).ToArray().Select(h => (float)h)],
            TensorType.BF16 => [.. MemoryMarshal.Cast<byte, ushort>(bytes).ToArray().Select(b => BitConverter.UInt32BitsToSingle((uint)b << 16))],
            _ => throw new NotSupportedException(from),
        };
        values = change?.Invoke(values) ?? values;
        byte[] data = tensor.Type switch
        {
            TensorType.F32 => MemoryMarshal.AsBytes<float>(values).ToArray(),
            TensorType.F16 => MemoryMarshal.AsBytes<Half>(Array.ConvertAll(values, v => (Half)v)).ToArray(),
            _ => MemoryMarshal.AsBytes<ushort>(Array.ConvertAll(values, v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))).ToArray(),
        };
        _tensors.Add((name, tensor.Type.ToString(), shape ?? [.. tensor.Shape.Reverse()], data));
    }
}

namespace Slm.Engine.Tests.Stages;

/// <summary>
/// Decoders in double precision, straight from the equations: each sublayer is a function of all rows of a text. Knows nothing of
/// the engine; reads only the numbers that a <see cref="RandomModel"/> made.
/// </summary>
internal sealed record ExactDecoder(RandomModel Model)
{
    public required int Layers { get; init; }

    public required int Hidden { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    public double Epsilon { get; init; } = 1e-5f;

    /// <summary>Rotated elements of a head; 0 for all.</summary>
    public int Rotated { get; init; }

    /// <summary>Pairs (2i, 2i + 1) instead of (i, i + n/2).</summary>
    public bool Neighbours { get; init; }

    /// <summary>Angle of a pair at position 1, by layer and pair.</summary>
    public required Func<int, int, double> Frequency { get; init; }

    /// <summary>Factor of cos and sin.</summary>
    public double Magnitude { get; init; } = 1;

    /// <summary>Positions that a layer sees.</summary>
    public Func<int, int> Window { get; init; } = _ => int.MaxValue;

    public double EmbeddingScale { get; init; } = 1;

    public double ResidualScale { get; init; } = 1;

    public double LogitScale { get; init; } = 1;

    /// <summary>What a layer's gate passes through.</summary>
    public Func<double, double> Gate { get; init; } = Exact.Silu;

    public int ExpertsUsed { get; init; }

    public bool NormalizesExperts { get; init; } = true;

    /// <summary>Latent attention: ranks of queries and of keys and values, sizes of plain and rotated parts and of values.</summary>
    public (int Query, int KeyValue, int Plain, int Rotated, int Value)? Latent { get; init; }

    /// <summary>Smallest distance between the last expert that was chosen and the first that was not.</summary>
    public double RoutingMargin { get; private set; } = double.PositiveInfinity;

    public double[][] Logits(int[] tokens)
    {
        var embedding = Model["token_embd.weight"];
        double[][] x = [.. tokens.Select(t => embedding.Skip(t * Hidden).Take(Hidden).Select(v => v * EmbeddingScale).ToArray())];
        for (var i = 0; i < Layers; i++)
        {
            var blk = $"blk.{i}.";
            var attended = Norm(Latent is null ? Attention(i, blk, Norm(x, blk + "attn_norm")) : LatentAttention(i, blk, Norm(x, blk + "attn_norm")), blk + "post_attention_norm");
            x = Exact.Add(x, Scaled(attended, ResidualScale));
            var normed = Norm(x, blk + "ffn_norm");
            x = Exact.Add(x, Scaled(Norm(FeedForward(blk, normed), blk + "post_ffw_norm"), ResidualScale));
        }

        var head = Model.Has("output.weight") ? Model["output.weight"] : embedding;
        return Scaled(Exact.Product(Norm(x, "output_norm"), head), LogitScale);
    }

    private static double[][] Scaled(double[][] x, double factor) => Exact.Each(x, row => [.. row.Select(v => v * factor)]);

    /// <summary>Some elements of every row.</summary>
    private static double[][] Slice(double[][] x, int first, int count) => Exact.Each(x, row => row[first..(first + count)]);

    private double[][] Norm(double[][] x, string name) => Model.Has(name + ".weight") ? Exact.RmsNorm(x, Model[name + ".weight"], Epsilon) : x;

    private double[][] Product(double[][] x, string name) => Exact.Product(x, Model[name + ".weight"], Model.Has(name + ".bias") ? Model[name + ".bias"] : null);

    private double[][] Attention(int layer, string blk, double[][] x)
    {
        var (queries, keys) = (Heads * HeadSize, KeyValueHeads * HeadSize);
        double[][] q, k, v;
        if (Model.Has(blk + "attn_qkv.weight"))
        {
            var all = Product(x, blk + "attn_qkv");
            (q, k, v) = (Slice(all, 0, queries), Slice(all, queries, keys), Slice(all, queries + keys, keys));
        }
        else
        {
            (q, k, v) = (Product(x, blk + "attn_q"), Product(x, blk + "attn_k"), Product(x, blk + "attn_v"));
        }

        q = Rotate(NormHeads(q, Heads, blk + "attn_q_norm"), Heads, layer);
        k = Rotate(NormHeads(k, KeyValueHeads, blk + "attn_k_norm"), KeyValueHeads, layer);
        return Product(Exact.Attend(q, Repeat(k), Repeat(v), Heads, 1 / Math.Sqrt(HeadSize), Mask(layer)), blk + "attn_output");
    }

    private double[][] LatentAttention(int layer, string blk, double[][] x)
    {
        var (queryRank, rank, plain, rotated, value) = Latent!.Value;
        var q = queryRank == 0 ? Product(x, blk + "attn_q") : Product(Norm(Product(x, blk + "attn_q_a"), blk + "attn_q_a_norm"), blk + "attn_q_b");
        var down = Product(x, blk + "attn_kv_a_mqa");
        var up = Product(Norm(Slice(down, 0, rank), blk + "attn_kv_a_norm"), blk + "attn_kv_b");
        var sharedKey = Turn(Slice(down, rank, rotated), 1, rotated, rotated, 0, layer);
        q = Turn(q, Heads, plain + rotated, rotated, plain, layer);

        // Each head: its plain key from the latent vector, then the rotated key that all share.
        double[][] k = [.. up.Select((row, p) => Enumerable.Range(0, Heads).SelectMany(h => row.Skip(h * (plain + value)).Take(plain).Concat(sharedKey[p])).ToArray())];
        double[][] v = [.. up.Select(row => Enumerable.Range(0, Heads).SelectMany(h => row.Skip((h * (plain + value)) + plain).Take(value)).ToArray())];
        return Product(Exact.Attend(q, k, v, Heads, 1 / Math.Sqrt(plain + rotated), Mask(layer)), blk + "attn_output");
    }

    private double[][] FeedForward(string blk, double[][] x)
    {
        if (Model.Has(blk + "ffn_gate_inp.weight"))
            return Experts(blk, x);
        if (!Model.Has(blk + "ffn_gate.weight"))
        {
            var both = Product(x, blk + "ffn_up");
            var width = both[0].Length / 2;
            return Product(Gated(Slice(both, 0, width), Slice(both, width, width)), blk + "ffn_down");
        }

        return Product(Gated(Product(x, blk + "ffn_gate"), Product(x, blk + "ffn_up")), blk + "ffn_down");
    }

    private double[][] Experts(string blk, double[][] x) => Exact.Each(x, row =>
    {
        double[][] one = [row];
        var scores = Product(one, blk + "ffn_gate_inp")[0];
        var sum = scores.Sum(Math.Exp);
        var shares = Array.ConvertAll(scores, s => Math.Exp(s) / sum);
        var order = Enumerable.Range(0, shares.Length).OrderByDescending(e => shares[e]).ToArray();
        RoutingMargin = Math.Min(RoutingMargin, shares[order[ExpertsUsed - 1]] - shares[order[ExpertsUsed]]);
        var chosen = order[..ExpertsUsed];
        var total = NormalizesExperts ? chosen.Sum(e => shares[e]) : 1;
        var result = new double[Hidden];
        foreach (var e in chosen)
            AddTo(result, One(blk, "_exps", one, e, shares.Length), shares[e] / total);
        if (Model.Has(blk + "ffn_gate_inp_shexp.weight"))
            AddTo(result, One(blk, "_shexp", one, 0, 1), 1 / (1 + Math.Exp(-Product(one, blk + "ffn_gate_inp_shexp")[0][0])));
        return result;
    });

    private double[] One(string blk, string suffix, double[][] x, int expert, int experts)
    {
        float[] Of(string name)
        {
            var all = Model[$"{blk}ffn_{name}{suffix}.weight"];
            var size = all.Length / experts;
            return all[(expert * size)..((expert + 1) * size)];
        }

        return Exact.Product(Gated(Exact.Product(x, Of("gate")), Exact.Product(x, Of("up"))), Of("down"))[0];
    }

    private static void AddTo(double[] target, double[] values, double factor)
    {
        for (var i = 0; i < target.Length; i++)
            target[i] += factor * values[i];
    }

    private double[][] Gated(double[][] gate, double[][] up) => [.. gate.Zip(up, (g, u) => g.Zip(u, (a, b) => Gate(a) * b).ToArray())];

    private Func<int, int, int, double> Mask(int layer) => (_, query, key) => key <= query && query - key < Window(layer) ? 0 : double.NegativeInfinity;

    private double[][] NormHeads(double[][] x, int heads, string name)
    {
        if (!Model.Has(name + ".weight"))
            return x;
        return Exact.Each(x, row => [.. Enumerable.Range(0, heads).SelectMany(h => Exact.RmsNorm([row[(h * HeadSize)..((h + 1) * HeadSize)]], Model[name + ".weight"], Epsilon)[0])]);
    }

    private double[][] Repeat(double[][] x) => Exact.Each(x, row =>
        [.. Enumerable.Range(0, Heads).SelectMany(h => row.Skip(h / (Heads / KeyValueHeads) * HeadSize).Take(HeadSize))]);

    private double[][] Rotate(double[][] x, int heads, int layer) => Turn(x, heads, HeadSize, Rotated == 0 ? HeadSize : Rotated, 0, layer);

    /// <summary>Turns <paramref name="rotated"/> elements of each head from <paramref name="first"/> on.</summary>
    private double[][] Turn(double[][] x, int heads, int size, int rotated, int first, int layer)
    {
        var turned = Array.ConvertAll(x, row => (double[])row.Clone());
        for (var p = 0; p < x.Length; p++)
        {
            for (var h = 0; h < heads; h++)
            {
                for (var i = 0; i < rotated / 2; i++)
                {
                    var angle = p * Frequency(layer, i);
                    var start = (h * size) + first;
                    var (a, b) = Neighbours ? (start + (2 * i), start + (2 * i) + 1) : (start + i, start + i + (rotated / 2));
                    turned[p][a] = Magnitude * ((x[p][a] * Math.Cos(angle)) - (x[p][b] * Math.Sin(angle)));
                    turned[p][b] = Magnitude * ((x[p][a] * Math.Sin(angle)) + (x[p][b] * Math.Cos(angle)));
                }
            }
        }

        return turned;
    }
}

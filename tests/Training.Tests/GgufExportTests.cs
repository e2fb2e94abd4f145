using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Tokenization;
using Slm.Tokenization.Templates;
using Slm.Training.Configuration;
using Slm.Training.Export;
using Slm.Training.Model;
using Slm.Training.Pretraining;

namespace Slm.Training.Tests;

public sealed class GgufExportTests
{
    [Fact]
    public async Task Engine_gives_the_trainer_s_logits_in_f32()
    {
        using var folder = new TemporaryFolder();
        var model = Model("f32");
        model.Export(folder.In("m.gguf"));
        int[] tokens = [.. Enumerable.Range(0, 48).Select(i => i * 37 % 320)];
        var expected = model.Logits(tokens);

        using var file = ModelFile.Open(folder.In("m.gguf"));
        await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 1 });
        var batch = new StepBatch();
        batch.Add(tokens, 0, [0, 1], tokens.Length);
        var actual = await pipeline.ForwardAsync(batch, StepOutput.Logits, TestContext.Current.CancellationToken);
        var worst = 0f;
        for (var i = 0; i < expected.Length; i++)
            worst = Math.Max(worst, MathF.Abs(expected[i] - actual.Span[i]));
        Assert.True(expected.Max() - expected.Min() > 1, "the logits say nothing");
        Assert.True(worst <= 1e-3f, $"largest difference {worst}");
    }

    [Fact]
    public void File_holds_the_configuration_and_the_tokenizer()
    {
        using var folder = new TemporaryFolder();
        var model = Model("f16");
        model.Export(folder.In("m.gguf"));
        using var file = ModelFile.Open(folder.In("m.gguf"));
        Assert.Equal((2, 64, 2, 1, 96, 64, 320), (file.Config.LayerCount, file.Config.HiddenSize, file.Config.HeadCount, file.Config.KeyValueHeadCount, file.Config.FeedForwardSize, file.Config.ContextLength, file.Config.VocabSize));
        Assert.False(file.Config.Rope.NeoX);
        Assert.Equal(model.Layout.Length, file.ParameterCount);
        Assert.Equal("F16", file.QuantizationName);
        var tokenizer = TokenizerLoader.FromGguf(file.Source.Metadata);
        var ids = new List<ushort>();
        const string Text = "Tom sees a ball. Mia likes the moon";
        model.Vocabulary.CreateEncoder().Encode(Text, ids);
        Assert.Equal(ids.Select(i => (int)i).Prepend(model.Vocabulary.EndOfTextId), tokenizer.Encode(Text, addSpecialTokens: true).Ids);
        Assert.Equal(model.Vocabulary.EndOfTextId, tokenizer.Special.Eos);
        Assert.Contains(model.Vocabulary.EndOfTextId, tokenizer.Special.EndTokens);
    }

    [Theory]
    [InlineData("A dog finds a bone. ", "<e>Summary: A dog finds a bone.\nStory:\n")]
    [InlineData("Words: dog, run, red", "<e>Words: dog, run, red\nStory:\n")]
    [InlineData("Words: dog\nStory:", "<e>Words: dog\nStory:")]
    [InlineData("Once upon a time", "<e>Once upon a time")]
    public void Chat_template_makes_the_last_user_message_a_story_prompt(string message, string expected)
    {
        var template = Slm.Tokenization.Templates.ChatTemplate.Parse(GgufExport.ChatTemplate);
        var input = new ChatTemplateInput
        {
            Messages = [new ChatTurn("system", "Be kind."), new ChatTurn("user", "Hello"), new ChatTurn("assistant", "Hi"), new ChatTurn("user", message)],
            AddGenerationPrompt = true,
            BosToken = "<e>",
            EosToken = "<e>",
        };
        Assert.Equal(expected, template.Render(input));
    }

    private static TrainedModel Model(string type)
    {
        var config = PretrainConfigReader.Read(TinyRun.Yaml) with { Export = new ExportConfig { Type = type } };
        var (vocabulary, _, _) = TinyRun.Data(config);
        var layout = new ParameterLayout(config.Model);
        var weights = new float[layout.Length];
        layout.Initialize(weights, 4);
        // Larger than at the start of training, so that the logits spread.
        for (var i = 0; i < weights.Length; i++)
            weights[i] *= 3;
        return new TrainedModel(config, layout, weights, new RunState { Tokens = 1000 }, vocabulary);
    }
}

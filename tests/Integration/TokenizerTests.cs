using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

public sealed class TokenizerTests(Platform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("llama-untied-f32")]
    [InlineData("qwen3-f32")]
    [InlineData("llama-tied-f16")]
    public async Task Encoding_gives_the_recorded_ids_and_decoding_the_text(string model)
    {
        foreach (var (text, ids) in ReferenceModel.Read(model).Tokenize)
        {
            var encoded = await platform.Tokens.EncodeAsync(new EncodeRequest { Model = model, Text = text, AddSpecialTokens = false }, cancellationToken: Cancelled);
            Assert.Equal(ids, encoded.Ids);
            Assert.Equal(ids.Length, encoded.Pieces.Count);
            Assert.Equal(System.Text.Encoding.UTF8.GetByteCount(text), encoded.EndBytes[^1]);
            var decoded = await platform.Tokens.DecodeAsync(new DecodeRequest { Model = model, Ids = { ids } }, cancellationToken: Cancelled);
            Assert.Equal(text, decoded.Text);
            var count = await platform.Tokens.CountAsync(new CountRequest { Model = model, Text = text, AddSpecialTokens = false }, cancellationToken: Cancelled);
            Assert.Equal((ids.Length, 512), (count.Count, count.ContextLength));
        }
    }

    [Fact]
    public async Task Information_tells_the_vocabulary()
    {
        var info = await platform.Tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = "llama-untied-f32" }, cancellationToken: Cancelled);
        Assert.Equal((400, 512, "llama-untied-f32"), (info.VocabSize, info.ContextLength, info.Model));
        Assert.True(info.HasEosId && info.EosToken.Length > 0);
    }

    [Fact]
    public async Task A_given_chat_template_is_rendered_and_encoded()
    {
        const string Template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
        var request = new ApplyChatTemplateRequest { Model = "qwen3-f32", Template = Template, Messages = { new ChatMessage { Role = "user", Content = "Hello" } } };
        var rendered = await platform.Tokens.ApplyChatTemplateAsync(request, cancellationToken: Cancelled);
        Assert.Equal("[user] Hello\n[assistant]", rendered.Text);
        var decoded = await platform.Tokens.DecodeAsync(new DecodeRequest { Model = "qwen3-f32", Ids = { rendered.Ids }, SkipSpecialTokens = true }, cancellationToken: Cancelled);
        Assert.Equal(rendered.Text, decoded.Text);
    }

    [Fact]
    public async Task A_wrong_template_or_id_is_refused_by_field()
    {
        var wrong = new ApplyChatTemplateRequest { Model = "qwen3-f32", Template = "{% if %}", Messages = { new ChatMessage { Role = "user", Content = "x" } } };
        await RefusedAsync("template", () => platform.Tokens.ApplyChatTemplateAsync(wrong, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync("ids[1]", () => platform.Tokens.DecodeAsync(new DecodeRequest { Model = "qwen3-f32", Ids = { 1, 400 } }, cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync("input", () => platform.Tokens.CountAsync(new CountRequest { Model = "qwen3-f32" }, cancellationToken: Cancelled).ResponseAsync);
    }

    private static async Task RefusedAsync(string field, Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal(field, error.GetRpcStatus()!.GetDetail<Google.Rpc.BadRequest>()!.FieldViolations[0].Field);
    }
}

using System.Globalization;
using Grpc.Core;
using Slm.ServiceDefaults.Errors;
using Slm.Shared;
using Slm.Tokenization;
using Slm.Tokenization.Templates;
using Slm.V1;

namespace Slm.Tokenizer;

/// <summary>gRPC face of the tokenizers and chat templates.</summary>
internal sealed class TokenizerEndpoint(Vocabularies vocabularies) : TokenizerService.TokenizerServiceBase
{
    /// <inheritdoc/>
    public override Task<EncodeResponse> Encode(EncodeRequest request, ServerCallContext context)
    {
        var tokenizer = vocabularies.Get(request.Model).Tokenizer;
        var encoding = tokenizer.Encode(request.Text, !request.HasAddSpecialTokens || request.AddSpecialTokens, request.ParseSpecialTokens);
        var response = new EncodeResponse();
        response.Ids.AddRange(encoding.Ids);
        response.Pieces.AddRange(encoding.Ids.Select(tokenizer.Piece));
        response.StartBytes.AddRange(encoding.StartBytes);
        response.EndBytes.AddRange(encoding.EndBytes);
        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override Task<DecodeResponse> Decode(DecodeRequest request, ServerCallContext context)
    {
        var tokenizer = vocabularies.Get(request.Model).Tokenizer;
        var ids = request.Ids.ToArray();
        for (var i = 0; i < ids.Length; i++)
        {
            if ((uint)ids[i] >= (uint)tokenizer.VocabSize)
                throw new FieldException($"ids[{i}]", string.Create(CultureInfo.InvariantCulture, $"ids[{i}] is {ids[i]}, but token ids of this model are 0 to {tokenizer.VocabSize - 1}."));
        }
        return Task.FromResult(new DecodeResponse { Text = tokenizer.Decode(ids, request.SkipSpecialTokens) });
    }

    /// <inheritdoc/>
    public override Task<CountResponse> Count(CountRequest request, ServerCallContext context)
    {
        var vocabulary = vocabularies.Get(request.Model);
        var special = !request.HasAddSpecialTokens || request.AddSpecialTokens;
        var count = request.InputCase switch
        {
            CountRequest.InputOneofCase.Text => vocabulary.Tokenizer.Encode(request.Text, special).Ids.Length,
            CountRequest.InputOneofCase.Messages => Render(
                vocabulary, vocabulary.Template, request.Messages.Messages_, request.Messages.Tools,
                request.Messages.TemplateVariablesJson, addGenerationPrompt: true, "messages.").Ids.Length,
            _ => throw new FieldException("input", "One of text or messages must be set."),
        };
        return Task.FromResult(new CountResponse { Count = count, ContextLength = vocabulary.ContextLength });
    }

    /// <inheritdoc/>
    public override Task<ApplyChatTemplateResponse> ApplyChatTemplate(ApplyChatTemplateRequest request, ServerCallContext context)
    {
        var vocabulary = vocabularies.Get(request.Model);
        var template = request.HasTemplate ? Parse(request.Template) : vocabulary.Template;
        var (text, ids) = Render(
            vocabulary, template, request.Messages, request.Tools, request.TemplateVariablesJson,
            !request.HasAddGenerationPrompt || request.AddGenerationPrompt, "");
        var response = new ApplyChatTemplateResponse { Text = text };
        response.Ids.AddRange(ids);
        return Task.FromResult(response);
    }

    /// <inheritdoc/>
    public override Task<V1.TokenizerInfo> GetTokenizerInfo(GetTokenizerInfoRequest request, ServerCallContext context)
    {
        var vocabulary = vocabularies.Get(request.Model);
        var (special, about) = (vocabulary.Tokenizer.Special, vocabulary.Tokenizer.Info);
        var info = new V1.TokenizerInfo
        {
            Model = vocabulary.Model,
            VocabSize = vocabulary.Tokenizer.VocabSize,
            AddsBos = special.AddsBos,
            AddsEos = special.AddsEos,
            ContextLength = vocabulary.ContextLength,
            VocabularyHash = vocabulary.Hash,
        };
        if (special.Bos is { } bos)
            info.BosId = bos;
        if (special.Eos is { } eos)
            info.EosId = eos;
        if (about.BosText is { } bosText)
            info.BosToken = bosText;
        if (about.EosText is { } eosText)
            info.EosToken = eosText;
        if (about.ChatTemplate is { Length: > 0 } template)
            info.ChatTemplate = template;
        return Task.FromResult(info);
    }

    private static ChatTemplate Parse(string source)
    {
        try
        {
            return ChatTemplate.Parse(source);
        }
        catch (TemplateException error)
        {
            throw new FieldException("template", error.Message);
        }
    }

    /// <summary>The prompt as inference makes it: special tokens the template writes are read, and BOS is added where the model wants it and the template has not written it.</summary>
    private static (string Text, int[] Ids) Render(
        Vocabulary vocabulary, ChatTemplate template, IReadOnlyList<ChatMessage> messages, IReadOnlyList<ToolDefinition> tools,
        string? variables, bool addGenerationPrompt, string path)
    {
        var tokenizer = vocabulary.Tokenizer;
        var text = template.RenderConversation(new ChatTemplateInput
        {
            Messages = ChatMapping.Turns(messages, $"{path}messages"),
            Tools = ChatMapping.Tools(tools, $"{path}tools"),
            Variables = ChatMapping.Variables(variables, $"{path}template_variables_json"),
            AddGenerationPrompt = addGenerationPrompt,
            BosToken = tokenizer.Info.BosText,
            EosToken = tokenizer.Info.EosText,
        });
        var ids = tokenizer.Encode(text, addSpecialTokens: false, parseSpecialTokens: true).Ids;
        if (tokenizer.Special is { AddsBos: true, Bos: { } bos } && (ids.Length == 0 || ids[0] != bos))
            ids = [bos, .. ids];
        return (text, ids);
    }
}

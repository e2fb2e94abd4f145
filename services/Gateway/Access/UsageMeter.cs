using Slm.V1;

namespace Slm.Gateway.Access;

/// <summary>Tokens that one request from outside has used, over all generations it led to; equal to the usage that the answer reports.</summary>
internal sealed class UsageMeter
{
    private readonly Lock _lock = new();
    private readonly List<GenerateRequest> _prompts = [];

    public long PromptTokens { get; private set; }

    public long CompletionTokens { get; private set; }

    public long Total => PromptTokens + CompletionTokens;

    /// <summary>Adds what an answer reports.</summary>
    public void Add(long promptTokens, long completionTokens)
    {
        lock (_lock)
        {
            PromptTokens += promptTokens;
            CompletionTokens += completionTokens;
        }
    }

    /// <summary>A prompt counts once, however many answers to it are made.</summary>
    public bool IsNew(GenerateRequest request)
    {
        lock (_lock)
        {
            if (_prompts.Exists(known => Same(known, request)))
                return false;
            _prompts.Add(request);
            return true;
        }
    }

    private static bool Same(GenerateRequest one, GenerateRequest other) => one.PromptCase == other.PromptCase && one.PromptCase switch
    {
        GenerateRequest.PromptOneofCase.Text => one.Text == other.Text,
        GenerateRequest.PromptOneofCase.TokenIds => one.TokenIds.Equals(other.TokenIds),
        GenerateRequest.PromptOneofCase.Messages => one.Messages.Equals(other.Messages),
        _ => true,
    };
}

/// <summary>One streamed generation: tokens count as they come, so that those of an answer nobody waits for to its end do as well.</summary>
/// <param name="meter">Where they go.</param>
/// <param name="countsPrompt">False if the prompt is counted elsewhere.</param>
/// <param name="resumed">Tokens of the answer that came before this stream.</param>
internal sealed class MeteredStream(UsageMeter meter, bool countsPrompt, int resumed)
{
    private long _completion;

    /// <summary>Counts a message.</summary>
    public void Take(GenerateResponse piece)
    {
        if (piece.IsPrompt)
            return;
        var completion = piece.Usage is { } usage ? usage.CompletionTokens - resumed : _completion + piece.TokenIds.Count;
        meter.Add(countsPrompt ? piece.Usage?.PromptTokens ?? 0 : 0, completion - _completion);
        _completion = completion;
    }
}

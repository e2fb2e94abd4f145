using System.Text;
using Slm.V1;

namespace Slm.ServiceDefaults;

/// <summary>The pieces of an answer as one message.</summary>
public static class WholeAnswer
{
    /// <summary>Reads all of them.</summary>
    public static async Task<GenerateOnceResponse> OfAsync(IAsyncEnumerable<GenerateResponse> pieces, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(pieces);
        var whole = new GenerateOnceResponse();
        var text = new StringBuilder();
        await foreach (var piece in pieces.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            if (piece.IsPrompt)
            {
                whole.PromptText += piece.Text;
                whole.PromptTokenIds.AddRange(piece.TokenIds);
                whole.PromptLogprobs.AddRange(piece.Logprobs);
            }
            else
            {
                text.Append(piece.Text);
                whole.TokenIds.AddRange(piece.TokenIds);
                whole.Logprobs.AddRange(piece.Logprobs);
            }

            if (piece.FinishReason != FinishReason.Unspecified)
                whole.FinishReason = piece.FinishReason;
            if (piece.HasStopMatch)
                whole.StopMatch = piece.StopMatch;
            whole.Usage = piece.Usage ?? whole.Usage;
        }

        whole.Text = text.ToString();
        return whole;
    }
}

using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Responses;

/// <summary>A response that can be asked for again, and gone on from.</summary>
internal sealed class StoredResponse(string owner, IReadOnlyList<JsonElement> input, ResponseBody body)
{
    /// <summary>Whose it is: others do not find it.</summary>
    public string Owner { get; } = owner;

    /// <summary>The items it was asked with.</summary>
    public IReadOnlyList<JsonElement> Input { get; } = input;

    /// <summary>Its newest state.</summary>
    public ResponseBody Body { get; set; } = body;

    /// <summary>The conversation with its answer; empty until it is complete.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; set; } = [];

    /// <summary>Cancels a background response; null for others.</summary>
    public CancellationTokenSource? Running { get; set; }

    /// <summary>Characters that it holds, about.</summary>
    public long Size { get; } = input.Sum(item => (long)item.GetRawText().Length);
}

/// <summary>The responses of this process, in memory: the oldest are forgotten when there are too many or they are too large.</summary>
/// <param name="most">Most responses.</param>
internal sealed class ResponseStore(int most = 1000)
{
    /// <summary>Characters of input that all of them may hold.</summary>
    private const long MostChars = 256L * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<(string Id, StoredResponse Response)>> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Id, StoredResponse Response)> _byAge = new();
    private long _chars;

    public void Add(StoredResponse response)
    {
        lock (_gate)
        {
            _byId[response.Body.Id] = _byAge.AddLast((response.Body.Id, response));
            _chars += response.Size;
            while (_byAge.Count > most || (_chars > MostChars && _byAge.Count > 1))
                Remove(_byAge.First!);
        }
    }

    /// <summary>A response.</summary>
    /// <exception cref="OpenAiException">There is none of that id, or it is somebody else's.</exception>
    public StoredResponse Get(string id, string owner, string param = "response_id")
    {
        lock (_gate)
        {
            return _byId.TryGetValue(id, out var node) && node.Value.Response.Owner == owner ? node.Value.Response
                : throw new OpenAiException(404, "invalid_request_error", $"There is no stored response '{id}'. It may be too old: the newest {most} are kept until the server ends.", param, "response_not_found");
        }
    }

    public void Delete(string id, string owner)
    {
        var response = Get(id, owner);
        response.Running?.Cancel();
        lock (_gate)
        {
            if (_byId.TryGetValue(id, out var node))
                Remove(node);
        }
    }

    private void Remove(LinkedListNode<(string Id, StoredResponse Response)> node)
    {
        _byAge.Remove(node);
        _byId.Remove(node.Value.Id);
        _chars -= node.Value.Response.Size;
    }
}

using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Slm.Conformance;

/// <summary>The platform as an MCP server, and MCP servers as sources of its responses' tools.</summary>
public sealed class McpTests(Platform platform)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Its_tools_are_listed_with_schemas()
    {
        await using var client = await ConnectAsync();
        var tools = await client.ListToolsAsync(cancellationToken: Cancellation);
        Assert.Equal(["chat", "count_tokens", "embed", "generate", "list_models"], tools.Select(t => t.Name).Order());
        Assert.All(tools, tool => Assert.NotEmpty(tool.Description));
        Assert.All(tools, tool => Assert.Equal("object", tool.ProtocolTool.OutputSchema!.Value.GetProperty("type").GetString()));
        var generate = tools.Single(t => t.Name == "generate").JsonSchema;
        Assert.Equal(["model", "prompt"], generate.GetProperty("required").EnumerateArray().Select(r => r.GetString()!));
    }

    [Fact]
    public async Task Models_are_listed()
    {
        await using var client = await ConnectAsync();
        var result = await client.CallToolAsync("list_models", cancellationToken: Cancellation);
        Assert.NotEqual(true, result.IsError);
        Assert.Contains(result.StructuredContent!.Value.GetProperty("models").EnumerateArray(), m => m.GetProperty("name").GetString() == Platform.Model);
    }

    [Fact]
    public async Task Text_is_generated_with_progress()
    {
        await using var client = await ConnectAsync();
        var progress = new Seen();
        var result = await client.CallToolAsync("generate", new Dictionary<string, object?> { ["model"] = Platform.Model, ["prompt"] = "Once upon a time", ["max_tokens"] = 12, ["temperature"] = 0 },
            progress, cancellationToken: Cancellation);
        Assert.NotEqual(true, result.IsError);
        Assert.NotEmpty(result.StructuredContent!.Value.GetProperty("text").GetString()!);
        Assert.InRange(result.StructuredContent.Value.GetProperty("completionTokens").GetInt32(), 1, 12);
        Assert.NotEmpty(progress.Values);
    }

    [Fact]
    public async Task A_chat_can_be_held_to_a_schema()
    {
        await using var client = await ConnectAsync();
        var result = await client.CallToolAsync("chat", new Dictionary<string, object?>
        {
            ["model"] = Platform.Model,
            ["messages"] = new[] { new { role = "user", content = "A dog finds a bone." } },
            ["json_schema"] = """{"type":"object","properties":{"pet":{"enum":["cat","dog"]}},"required":["pet"],"additionalProperties":false}""",
        }, cancellationToken: Cancellation);
        Assert.NotEqual(true, result.IsError);
        var text = result.StructuredContent!.Value.GetProperty("text").GetString()!;
        Assert.Contains(JsonElement.Parse(text).GetProperty("pet").GetString(), (string[])["cat", "dog"]);
    }

    [Fact]
    public async Task Texts_are_embedded_and_counted()
    {
        await using var client = await ConnectAsync();
        var embedded = await client.CallToolAsync("embed", new Dictionary<string, object?> { ["model"] = Platform.Model, ["texts"] = new[] { "a cat", "a dog" }, ["dimensions"] = 8 }, cancellationToken: Cancellation);
        Assert.All(embedded.StructuredContent!.Value.GetProperty("embeddings").EnumerateArray(), e => Assert.Equal(8, e.GetArrayLength()));
        var counted = await client.CallToolAsync("count_tokens", new Dictionary<string, object?> { ["model"] = Platform.Model, ["text"] = "a cat" }, cancellationToken: Cancellation);
        Assert.True(counted.StructuredContent!.Value.GetProperty("tokens").GetInt32() > 0);
    }

    [Fact]
    public async Task What_cannot_be_done_is_an_error_that_the_model_can_read()
    {
        await using var client = await ConnectAsync();
        var result = await client.CallToolAsync("generate", new Dictionary<string, object?> { ["model"] = "no-such-model", ["prompt"] = "x" }, cancellationToken: Cancellation);
        Assert.True(result.IsError);
        Assert.Contains(Platform.Model, Assert.IsType<TextContentBlock>(result.Content[0]).Text);
    }

    [Fact]
    public async Task A_page_of_another_name_is_refused()
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{platform.Http}/mcp") { Content = JsonContent.Create(new { jsonrpc = "2.0", id = 1, method = "ping" }) };
        request.Headers.Host = "attacker.example";
        using var response = await http.SendAsync(request, Cancellation);
        Assert.Equal(System.Net.HttpStatusCode.Forbidden, response.StatusCode);
    }

    /// <summary>The platform's own server, set as <c>self</c>, gives the tool.</summary>
    [Fact]
    public async Task A_response_runs_the_tools_of_a_server_and_reads_their_output()
    {
        using var http = new HttpClient();
        using var response = await http.PostAsJsonAsync($"{platform.Http}/v1/responses", new
        {
            model = Platform.Model,
            input = "A dog finds a bone.",
            max_output_tokens = 80,
            temperature = 0,
            tool_choice = "required",
            parallel_tool_calls = false,
            tools = new[] { new { type = "mcp", server_label = "self", require_approval = "never", allowed_tools = new[] { "list_models" } } },
        }, Cancellation);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation);
        Assert.True(response.IsSuccessStatusCode, body.GetRawText());
        var output = body.GetProperty("output").EnumerateArray().ToList();
        Assert.Equal("mcp_list_tools", output[0].GetProperty("type").GetString());
        Assert.Equal("list_models", Assert.Single(output[0].GetProperty("tools").EnumerateArray()).GetProperty("name").GetString());
        Assert.Equal(("mcp_call", "self", "list_models"), (Text(output[1], "type"), Text(output[1], "server_label"), Text(output[1], "name")));
        Assert.Contains(Platform.Model, Text(output[1], "output"));
        Assert.Equal("message", Text(output[2], "type"));
    }

    private static string Text(JsonElement item, string name) => item.GetProperty(name).GetString()!;

    private Task<McpClient> ConnectAsync() =>
        McpClient.CreateAsync(new HttpClientTransport(new HttpClientTransportOptions { Endpoint = new Uri($"{platform.Http}/mcp") }), cancellationToken: Cancellation);

    private sealed class Seen : IProgress<ProgressNotificationValue>
    {
        public ConcurrentBag<float> Values { get; } = [];

        public void Report(ProgressNotificationValue value) => Values.Add(value.Progress);
    }
}

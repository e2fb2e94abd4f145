namespace Slm.Gateway.OpenAi.Responses;

/// <summary>A tool of type <c>mcp</c>: the tools of a server that the operator has configured.</summary>
/// <param name="Label">The server's label in the settings.</param>
/// <param name="Allowed">Only these of its tools; empty: all.</param>
internal sealed record McpTool(string Label, IReadOnlyList<string> Allowed)
{
    public static McpTool Read(RequestFields tool)
    {
        var label = tool.RequiredString("server_label");
        tool.Refuse("server_url", "Servers are set by the operator (Slm:Gateway:Mcp); name one with 'server_label'.");
        tool.Refuse("connector_id", "Servers are set by the operator (Slm:Gateway:Mcp); name one with 'server_label'.");
        tool.Refuse("headers", "They are set by the operator.");
        tool.Refuse("authorization", "It is set by the operator.");
        if (tool.String("require_approval") is not "never")
            throw OpenAiException.Unsupported(tool.Path("require_approval"), "Set it to \"never\": the tools of a configured server run without asking.");
        tool.Harmless("server_description");
        return new McpTool(label, tool.Strings("allowed_tools", 128));
    }
}

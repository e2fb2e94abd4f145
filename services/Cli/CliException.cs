namespace Slm.Cli;

/// <summary>A request that cannot be carried out. The message names field, value and remedy in one line: exit code 1.</summary>
internal sealed class CliException(string message, Exception? inner = null) : Exception(message, inner);

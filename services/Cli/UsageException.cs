namespace Slm.Cli;

/// <summary>Options that do not go together, or a value no command could accept: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);

using Grpc.Core;
using Slm.Engine.Adapters;
using Slm.Engine.Constraints;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Formats;
using Slm.Engine.Planning;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Runtime;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Cli.Output;

/// <summary>Errors as one line on standard error.</summary>
internal static class ErrorLine
{
    public static void Write(string message) => Console.Error.WriteLine("slm: " + OneLine(message));

    public static string Describe(Exception error) => error switch
    {
        CliException or ModelFormatException or ExpertMemoryException or AdapterFormatException or AdapterNotFoundException or AdapterLimitException or TokenizerFormatException or ModelNotFoundException => error.Message,
        ConstraintException => $"The constraint cannot be enforced: {error.Message}",
        ConstraintDeadEndException => error.Message,
        SamplingOptionException option => $"--{option.Field.Replace('_', '-')}: {option.Message}",
        ContextLengthExceededException context => $"{context.Message} Shorten the prompt{(context.PromptTokens < context.ContextLength ? " or lower --max-tokens" : "")}.",
        ChatTemplateMissingException => $"--model: {error.Message} That is 'slm generate --prompt TEXT'.",
        ModelTaskException => $"--model: {error.Message}",
        PlacementException placement => placement.Message.StartsWith("placement: ", StringComparison.Ordinal) ? "--" + placement.Message : placement.Message,
        TemplateException or CapacityExceededException or InvalidLogitsException or PipelineFailedException or PipelineUnavailableException => error.Message,
        RpcException rpc => Describe(rpc),
        FileNotFoundException { FileName: { } file } => $"The file '{file}' does not exist.",
        IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException => error.Message,
        _ => $"unexpected {error.GetType().Name}: {error.Message} Set SLM_DEBUG=1 for the details.",
    };

    private static string Describe(RpcException error) => error.StatusCode switch
    {
        StatusCode.Unavailable => $"--endpoint: no platform answers there ({error.Status.Detail}). Start one with 'slm serve', or leave --endpoint out to run locally.",
        StatusCode.DeadlineExceeded => $"--endpoint: the platform did not answer in time. {error.Status.Detail}",
        _ => error.Status.Detail.Length > 0 ? error.Status.Detail : $"the platform answered {error.StatusCode}.",
    };

    private static string OneLine(string text) =>
        string.Join(' ', text.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}

using System.Globalization;
using Google.Rpc;
using Slm.Engine.Adapters;
using Slm.Engine.Constraints;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Formats;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Shared;

/// <summary>How the exceptions of engine, tokenizers and runtime look to clients. Compiled into the services that use them.</summary>
internal static class RuntimeErrors
{
    /// <summary>Adds them to the map.</summary>
    public static void AddTo(ErrorMap map)
    {
        map.Add<ModelNotFoundException>(e => ErrorMap.Make(Code.NotFound, e.Message,
            new ResourceInfo { ResourceType = "model", ResourceName = e.Name, Description = e.Message },
            ErrorMap.Info("MODEL_NOT_FOUND", ("model", e.Name), ("known", string.Join(",", e.Known)))));
        map.Add<ExpertMemoryException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("EXPERT_MEMORY_TOO_SMALL")));
        map.Add<ModelFormatException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("MODEL_FILE_INVALID")));
        map.Add<AdapterFileNotFoundException>(e => ErrorMap.Make(Code.NotFound, e.Message,
            new ResourceInfo { ResourceType = "adapter", ResourceName = e.Name, Description = e.Message },
            ErrorMap.Info("ADAPTER_FILE_NOT_FOUND", ("adapter", e.Name), ("known", string.Join(",", e.Known)))));
        map.Add<AdapterNotFoundException>(e => ErrorMap.Make(Code.NotFound, e.Message,
            new ResourceInfo { ResourceType = "adapter", ResourceName = e.Name, Description = e.Message },
            ErrorMap.Info("ADAPTER_NOT_FOUND", ("adapter", e.Name), ("known", string.Join(",", e.Known)))));
        map.Add<AdapterFormatException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message,
            ErrorMap.Info("ADAPTER_INVALID", ("adapter", e.Adapter), ("subject", e.Subject))));
        map.Add<AdapterLimitException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message,
            ErrorMap.Info("TOO_MANY_ADAPTERS", ("limit", Number(e.Limit)))));
        map.Add<TokenizerFormatException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("TOKENIZER_INVALID")));
        map.Add<ChatTemplateMissingException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message,
            ErrorMap.Field("messages", e.Message), ErrorMap.Info("NO_CHAT_TEMPLATE")));
        map.Add<TemplateException>(e => ErrorMap.Make(Code.InvalidArgument, e.Message,
            ErrorMap.Field("messages", e.Message), ErrorMap.Info("CHAT_TEMPLATE_FAILED", ("line", Number(e.Line)))));
        map.Add<ConstraintTooLargeException>(e => ErrorMap.Make(Code.ResourceExhausted, e.Message,
            ErrorMap.Field("constraint", e.Message), ErrorMap.Info("CONSTRAINT_TOO_LARGE", ("pointer", e.Place), ("keyword", e.Keyword))));
        map.Add<ConstraintException>(e => ErrorMap.Make(Code.InvalidArgument, $"The constraint cannot be enforced: {e.Message}",
            ErrorMap.Field("constraint", e.Message), ErrorMap.Info("CONSTRAINT_REFUSED", ("pointer", e.Place), ("keyword", e.Keyword))));
        map.Add<ConstraintDeadEndException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("CONSTRAINT_DEAD_END")));
        map.Add<SamplingOptionException>(e => ErrorMap.Make(Code.InvalidArgument, e.Message,
            ErrorMap.Field(FieldOf(e), e.Message), ErrorMap.Info("INVALID_FIELD")));
        map.Add<ContextLengthExceededException>(e => ErrorMap.Make(Code.InvalidArgument, e.Message,
            ErrorMap.Field("prompt", e.Message),
            ErrorMap.Info("CONTEXT_LENGTH_EXCEEDED", ("prompt_tokens", Number(e.PromptTokens)), ("context_length", Number(e.ContextLength)))));
        map.Add<CapacityExceededException>(e => ErrorMap.Make(Code.ResourceExhausted, e.Message,
            ErrorMap.Retry(e.RetryAfter), ErrorMap.Info("OVERLOADED")));
        map.Add<PipelineUnavailableException>(e => ErrorMap.Make(Code.Unavailable, e.Message,
            ErrorMap.Retry(e.RetryAfter), ErrorMap.Info("MODEL_INCOMPLETE")));
        map.Add<DeadlineExceededException>(e => ErrorMap.Make(Code.DeadlineExceeded, e.Message, ErrorMap.Info("TIME_IS_UP")));
        map.Add<ModelTaskException>(e => ErrorMap.Make(Code.FailedPrecondition, e.Message, ErrorMap.Info("MODEL_CANNOT_DO_THIS")));
        map.Add<SchedulerStoppedException>(e => ErrorMap.Make(Code.Unavailable, e.Message,
            ErrorMap.Retry(TimeSpan.FromSeconds(1)), ErrorMap.Info("MODEL_UNLOADING")));
        // A request that the runtime itself refuses.
        map.Add<ArgumentException>(e => ErrorMap.Make(Code.InvalidArgument, e.Message, ErrorMap.Info("INVALID_REQUEST")));
    }

    private static string FieldOf(SamplingOptionException error) => error.Field switch
    {
        "dimensions" or "speculation" or "draft_token_ids" => error.Field,
        _ when error.Field.StartsWith("resume_", StringComparison.Ordinal) => error.Field,
        "priority" or "timeout_ms" => $"scheduling.{error.Field}",
        _ => $"sampling.{error.Field}",
    };

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}

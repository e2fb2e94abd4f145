using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Slm.Engine.Kernels;

/// <summary>
/// Asks for what a loop will read later, a little in every turn: processors drop what is asked for all at once, and the streams
/// are too short for them to notice.
/// </summary>
internal unsafe interface IAhead
{
    /// <summary>Asks for some bytes from <paramref name="start"/> on, which need not exist.</summary>
    static abstract void Ask(void* start, int bytes);
}

/// <summary>Into the second-level cache.</summary>
internal readonly unsafe struct AskAhead : IAhead
{
    private const int Line = 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ask(void* start, int bytes)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch1(start);
        if (bytes > Line)
            Sse.Prefetch1((byte*)start + Line);
        if (bytes > 2 * Line)
        {
            Sse.Prefetch1((byte*)start + (2 * Line));
            Sse.Prefetch1((byte*)start + (3 * Line));
        }
    }
}

/// <summary>Nothing.</summary>
internal readonly unsafe struct AskNothing : IAhead
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Ask(void* start, int bytes)
    {
    }
}

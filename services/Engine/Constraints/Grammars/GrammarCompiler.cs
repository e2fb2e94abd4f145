using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Grammars;

internal static class GrammarCompiler
{
    public static void Compile(Automaton automaton, TermPool pool, string rules) => throw new NotImplementedException();
}

using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Xunit;

namespace Slm.Engine.Tests.Constraints;

/// <summary>
/// A quarter of MaskBench (2,778 schemas from eleven sources, each with documents that are marked valid or invalid): a schema is refused, or every
/// one of its documents is judged right.
/// </summary>
public sealed class MaskBenchTests
{
    [Fact]
    public void NothingInvalidIsAcceptedAndNearlyAllSchemasAreEnforced()
    {
        var (lax, strict, refused, passed) = (new List<string>(), new List<string>(), 0, 0);
        foreach (var (path, json) in TestArchive.Read("maskbench-quarter.tar.gz"))
        {
            var name = Path.GetFileName(path);
            TokenConstraint constraint;
            try
            {
                constraint = new TokenConstraint(CompiledConstraint.Compile(new ConstraintSource.JsonSchema(json.RootElement.GetProperty("schema").GetRawText(), new JsonForm())), Bytes.Vocabulary);
            }
            catch (ConstraintException)
            {
                refused++;
                continue;
            }

            var (before, after) = (lax.Count + strict.Count, 0);
            foreach (var test in json.RootElement.GetProperty("tests").EnumerateArray())
            {
                var valid = test.GetProperty("valid").GetBoolean();
                if (Bytes.Accepts(constraint, TestArchive.Write(test.GetProperty("data"))) != valid)
                    (valid ? strict : lax).Add(name);
            }

            after = lax.Count + strict.Count;
            passed += after == before ? 1 : 0;
        }

        Assert.Empty(lax);

        Assert.Empty(strict);
        Assert.True(passed >= 2725, $"Only {passed} schemas passed; {refused} were refused.");
    }
}

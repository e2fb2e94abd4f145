using Slm.Training.Export;
using Xunit;

namespace Slm.Training.Tests;

public sealed class NameConsistencyTests
{
    [Theory]
    [InlineData("Tom met a girl named Ida.\n\nThen Tom and Ida went home.", true)]
    [InlineData("Tom met a girl named Ida.\n\nThen Tom and Wilma went home.", false)]
    [InlineData("Tom ran.\n\n\"Thank you, Mom,\" he said, and I think so too.", true)]
    [InlineData("Only one paragraph about Tom.", true)]
    public void The_last_paragraph_may_name_only_who_was_named_before(string text, bool kept) => Assert.Equal(kept, InstructionSection.KeepsNames(text));
}

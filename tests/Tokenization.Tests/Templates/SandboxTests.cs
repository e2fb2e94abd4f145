using CsCheck;
using Slm.Tokenization.Templates;
using Xunit;

namespace Slm.Tokenization.Tests.Templates;

/// <summary>A template comes with a model file: it may fail, never hang, crash or eat the memory.</summary>
public sealed class SandboxTests
{
    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x='a') %}{% for i in range(100) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(100) %}{% set ns.x = ns.x + ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}")]
    [InlineData("{% set a = namespace(x=(1,)) %}{% set b = namespace(x=(1,)) %}{% for i in range(60) %}{% set a.x = (a.x, a.x) %}{% set b.x = (b.x, b.x) %}{% endfor %}{{ a.x == b.x }}")]
    [InlineData("{% set a = namespace(x=(1,)) %}{% for i in range(60) %}{% set a.x = (a.x, a.x) %}{% endfor %}{{ {a.x: 1} }}")]
    [InlineData("{{ 'a' * 999999999999 }}")]
    [InlineData("{{ [0] * 999999999999 }}")]
    [InlineData("{{ 'a'.center(999999999) }}")]
    [InlineData("{{ 'x'|indent(999999999) }}{{ '%999999999d' % 1 }}")]
    [InlineData("{{ '{:>999999999}'.format('a') }}")]
    [InlineData("{{ {}|tojson(indent=999999999) }}")]
    [InlineData("{{ range(99999)|batch(999999999999, 'x')|list }}")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}")]
    [InlineData("{% set ns = namespace() %}{% set ns.self = ns %}{{ ns }}")]
    [InlineData("{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set x = 'a' * 1000000 %}{{ x.find(x[1:500000] ~ 'b') }}")]
    [InlineData("{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{{ x|replace('a', 'bb')|length }}{% endfor %}")]
    public void A_hostile_template_meets_a_limit(string source)
    {
        var error = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).RenderVariables(new Dictionary<string, object?>()));
        Assert.Equal(TemplateErrorKind.Limit, error.Kind);
    }

    [Theory]
    [InlineData("(")]
    [InlineData("[")]
    [InlineData("{'a':")]
    [InlineData("not ")]
    [InlineData("-")]
    [InlineData("1 if ")]
    [InlineData("x[")]
    public void Deep_nesting_in_an_expression_is_refused(string opening)
    {
        var source = "{{ " + string.Concat(Enumerable.Repeat(opening, 100_000)) + " }}";
        Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).RenderVariables(new Dictionary<string, object?>()));
    }

    [Fact]
    public void Deep_nesting_of_blocks_is_refused()
    {
        var source = string.Concat(Enumerable.Repeat("{% if 1 %}", 50_000));
        Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source));
    }

    [Fact]
    public void A_long_chain_of_operators_is_refused_without_a_crash()
    {
        var source = "{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 100_000)) + " }}";
        var error = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(source).RenderVariables(new Dictionary<string, object?>()));
        Assert.Equal(TemplateErrorKind.Limit, error.Kind);
    }

    [Fact]
    public void A_template_beyond_the_source_limit_is_refused()
    {
        var error = Assert.Throws<TemplateException>(() => ChatTemplate.Parse(new string(' ', 101), new TemplateLimits { MaxSourceChars = 100 }));
        Assert.Equal(TemplateErrorKind.Limit, error.Kind);
    }

    [Fact]
    public void Output_beyond_the_limit_is_refused()
    {
        var template = ChatTemplate.Parse("{% for i in range(100) %}0123456789{% endfor %}", new TemplateLimits { MaxOutputChars = 500 });
        Assert.Equal(TemplateErrorKind.Limit, Assert.Throws<TemplateException>(() => template.RenderVariables(new Dictionary<string, object?>())).Kind);
    }

    [Fact]
    public void An_error_names_its_line()
    {
        Assert.Equal(3, Assert.Throws<TemplateException>(() => ChatTemplate.Parse("a\n\n{{ b c }}")).Line);
        var error = Assert.Throws<TemplateException>(() => ChatTemplate.Parse("a\n{% if x %}{% endif %}\n\n{{ x.y.z }}\n").RenderVariables(new Dictionary<string, object?>()));
        Assert.Equal(4, error.Line);
        Assert.Contains("'x' is undefined", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_templates_fail_only_with_template_errors()
    {
        var sources = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Templates", "golden", "templates")).Select(File.ReadAllText).ToArray();
        var input = new ChatTemplateInput { Messages = [new ChatTurn("user", "hi"), new ChatTurn("assistant", "ho")], BosToken = "<s>", EosToken = "</s>" };
        var limits = new TemplateLimits { MaxSteps = 200_000 };
        string[] inserts = ["", "{{", "%}", "'", "(", "|", ".", "-", "{% endif %}", "[::0]", "\0", "😀"];
        Gen.Select(Gen.Int[0, sources.Length - 1], Gen.Int[0, 10_000], Gen.Int[0, 30], Gen.Int[0, inserts.Length - 1])
            .Sample((number, at, length, kind) =>
            {
                var (source, insert) = (sources[number], inserts[kind]);
                at %= source.Length;
                length = Math.Min(length, source.Length - at);
                try
                {
                    ChatTemplate.Parse(source.Remove(at, length).Insert(at, insert), limits).Render(input);
                }
                catch (TemplateException)
                {
                }
            }, iter: 3000);
    }
}

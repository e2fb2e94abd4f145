using Google.Api;
using Microsoft.AspNetCore.Http;
using Slm.Gateway.Access;
using Slm.V1;

namespace Slm.Gateway.Tests.Access;

public sealed class ScopeTests
{
    [Fact]
    public void Every_call_of_the_contracts_has_its_scope_and_JSON_needs_what_gRPC_needs()
    {
        var files = new[]
        {
            AccessReflection.Descriptor, ClusterReflection.Descriptor, EvaluatorReflection.Descriptor, InferenceReflection.Descriptor, ModelsReflection.Descriptor,
            RouterReflection.Descriptor, TokenizerReflection.Descriptor, TrainerReflection.Descriptor,
        };
        var methods = files.SelectMany(f => f.Services).SelectMany(s => s.Methods).ToList();
        Assert.True(methods.Count > 20);
        foreach (var method in methods)
        {
            var rule = Of("POST", $"/{method.Service.FullName}/{method.Name}");
            // What is not in the table needs an administrator: that is right for keys only.
            Assert.Equal(method.Service.Name == "AccessService", rule.Scope == Scope.Admin);
            Assert.Equal(rule.Scope == Scope.Admin, rule.IsKeys);
            if (method.GetOptions()?.GetExtension(AnnotationsExtensions.Http) is not { } http)
                continue;
            var json = http.PatternCase == HttpRule.PatternOneofCase.Get ? Of("GET", Path(http.Get)) : Of("POST", Path(http.Post));
            Assert.Equal((method.FullName, rule.Scope), (method.FullName, json.Scope));
            Assert.Equal((method.FullName, rule.IsWork), (method.FullName, json.IsWork));
        }
    }

    [Theory]
    [InlineData("POST", "/v1/chat/completions", Scope.Inference)]
    [InlineData("POST", "/V1/Completions", Scope.Inference)]
    [InlineData("POST", "/v1/embeddings", Scope.Inference)]
    [InlineData("GET", "/v1/models", Scope.Inference)]
    [InlineData("GET", "/v1/models/stories", Scope.Inference)]
    [InlineData("POST", "/tokenize", Scope.Inference)]
    [InlineData("GET", "/orleans", Scope.Admin)]
    [InlineData("POST", "/v1/completionsx", Scope.Admin)]
    [InlineData("POST", "/v1/something-new", Scope.Admin)]
    [InlineData("DELETE", "/v1/models/stories", Scope.Models)]
    public void Other_calls_have_theirs_and_unknown_ones_need_an_administrator(string method, string path, string scope) => Assert.Equal(scope, Of(method, path).Scope);

    [Fact]
    public void A_key_is_found_by_its_id_and_known_by_its_hash()
    {
        for (var i = 0; i < 200; i++)
        {
            var (key, secret) = Gateway.Access.ApiKey.Create("x", [Scope.Inference], DateTimeOffset.UnixEpoch);
            Assert.Equal(key.Id, Gateway.Access.ApiKey.IdOf(secret));
            Assert.True(key.Matches(Gateway.Access.ApiKey.HashOf(secret)));
            Assert.False(key.Matches(Gateway.Access.ApiKey.HashOf(secret[..^1])));
            Assert.Equal(60, secret.Length);
        }

        Assert.Null(Gateway.Access.ApiKey.IdOf("sk-123"));
        Assert.Null(Gateway.Access.ApiKey.IdOf("slm_123"));
    }

    private static CallRule Of(string method, string path)
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path) = (method, path);
        return Scope.Of(context.Request);
    }

    private static string Path(string template) => string.Join('/', template.Split('/').Select(part => part.StartsWith('{') ? "x" + part[(part.IndexOf('}', StringComparison.Ordinal) + 1)..] : part));
}

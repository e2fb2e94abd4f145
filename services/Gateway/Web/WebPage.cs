using Google.Protobuf;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.FileProviders;
using Slm.Gateway.OpenAi;
using Slm.V1;

namespace Slm.Gateway.Web;

/// <summary>The page at <c>/</c>: static files inside this assembly, and the model descriptions it shows. The rest it asks of the contracts' own HTTP paths.</summary>
internal static class WebPage
{
    private static readonly JsonFormatter Json = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    public static void MapWebPage(this WebApplication app)
    {
        var files = new EmbeddedFileProvider(typeof(WebPage).Assembly, "Slm.Gateway.Web.Files");
        var types = new FileExtensionContentTypeProvider();
        foreach (var file in files.GetDirectoryContents(""))
        {
            var path = file.Name == "index.html" ? "/" : $"/{file.Name}";
            var type = types.TryGetContentType(file.Name, out var known) ? known : "application/octet-stream";
            app.MapGet(path, (HttpContext context) => SendAsync(context, file, type)).AllowAnonymous();
        }
        app.MapGet("/api/models", ModelsAsync);
    }

    private static async Task SendAsync(HttpContext context, IFileInfo file, string type)
    {
        // Nothing is loaded from anywhere else, and no inline script runs.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers["Referrer-Policy"] = "no-referrer";
        context.Response.Headers.CacheControl = "no-cache";
        context.Response.ContentType = type.StartsWith("text/", StringComparison.Ordinal) ? $"{type}; charset=utf-8" : type;
        context.Response.ContentLength = file.Length;
        await using var content = file.CreateReadStream();
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private static async Task ModelsAsync(HttpContext context, PlatformClients clients)
    {
        var cancelled = context.RequestAborted;
        var list = await clients.Models.ListAsync(new ListModelsRequest(), cancellationToken: cancelled);
        var described = await Task.WhenAll(list.Models.Select(async model => model.State == ModelState.Failed
            ? new ModelDescription { Model = model }
            : await clients.Models.DescribeAsync(new DescribeModelRequest { Model = model.Model_ }, cancellationToken: cancelled)));
        await WriteAsync(context, $"[{string.Join(',', described.Select(d => Json.Format(d)))}]");
    }

    private static async Task WriteAsync(HttpContext context, string json)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(json, context.RequestAborted);
    }
}

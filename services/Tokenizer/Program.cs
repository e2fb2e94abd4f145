// This service on its own; AppHost runs all of them in one process.
using Slm.ServiceDefaults;
using Slm.Tokenizer;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddTokenizerService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapTokenizerService();
await app.RunAsync();

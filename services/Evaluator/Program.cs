// This service on its own; AppHost runs all of them in one process.
using Slm.Evaluator;
using Slm.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddEvaluatorService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapEvaluatorService();
await app.RunAsync();

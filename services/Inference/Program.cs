// This service on its own; AppHost runs all of them in one process.
using Slm.Inference;
using Slm.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddInferenceService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapInferenceService();
await app.RunAsync();

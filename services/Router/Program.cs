// This service on its own; AppHost runs all of them in one process.
using Slm.Router;
using Slm.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddRouterService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapRouterService();
await app.RunAsync();

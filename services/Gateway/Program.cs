// This service on its own; AppHost runs all of them in one process.
using Slm.Gateway;
using Slm.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddGatewayService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapGatewayService();
await app.RunAsync();

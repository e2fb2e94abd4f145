// This service on its own; AppHost runs all of them in one process.
using Slm.ServiceDefaults;
using Slm.Trainer;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults();
builder.AddTrainerService();
var app = builder.Build();
app.MapDefaultEndpoints();
app.MapTrainerService();
await app.RunAsync();

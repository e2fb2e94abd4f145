// Composition of this service on its own; AppHost runs all of them in one process.
var app = Microsoft.AspNetCore.Builder.WebApplication.CreateBuilder(args).Build();
app.Run();

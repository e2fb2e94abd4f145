// All services in one process. Separate processes: dotnet run --project AppHost -p:UseAspire=true
using Slm.AppHost.Local;
using Slm.ServiceDefaults;

WebApplication app;
try
{
    app = LocalPlatform.Build(args);
}
catch (OptionException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 2;
}
await using (app)
{
    try
    {
        await app.StartAsync();
    }
    catch (IOException error)
    {
        // Kestrel's message names the address that is in use.
        await Console.Error.WriteLineAsync($"{error.Message} Choose others with --Slm:Http=… and --Slm:Grpc=….");
        return 1;
    }
    Welcome.Print(app, Console.Out);
    await app.WaitForShutdownAsync();
}
return 0;

using Slm.Cli;

return await CommandLine.RunAsync(args);

using System.CommandLine;
using Slm.Training.Commands;

var configuration = new InvocationConfiguration { ProcessTerminationTimeout = null };
return await TrainingCommands.Root().Parse(args).InvokeAsync(configuration);

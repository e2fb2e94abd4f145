using Slm.Training.Commands;
using Slm.Training.Stories;

if (args[0] == "look") { foreach (var d in new StoryGenerator(7).Documents(int.Parse(args[1]))) Console.WriteLine(d + "\n<|endoftext|>"); return 0; }
return PretrainCommand.Run(args[0], args[1], args.Contains("--resume"), new JsonConsole(Console.Out, TimeProvider.System));

using BenchmarkDotNet.Running;

// dotnet run -c Release --project tests/Benchmarks -- --filter '*Decode*'
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);

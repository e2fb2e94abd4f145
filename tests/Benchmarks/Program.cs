using System.Globalization;
using BenchmarkDotNet.Running;
using Slm.Benchmarks;
using Slm.Engine.Planning;
using Slm.Engine.Threading;

// generate FOLDER SIZE RECIPE        writes a noise model and prints its path
// measure MODEL THREADS TOKENS LONG  one round of the comparison, as JSON
// bandwidth THREADS                  read bandwidth in GB/s
// speed THREADS                      what a silo measures of itself, and what that took
// profile MODEL THREADS WORK SECONDS  repeats prefill, decode, after (512 tokens), long (4096) or eight
// kernels                            products on one thread
// speculation MODEL [DRAFT [TEXTS]]  decoding with and without proposed tokens
// widen MODEL FILE                   the function of a small model in one of the size of 135M
// adapters MODEL THREADS RANK        what LoRA adapters cost
// quantization LIBRARY [MODEL]       errors of quantized tensors against the peer's libggml-base
// generate-experts FOLDER EXPONENT    writes a noise mixture of experts and prints its path
// experts MODEL THREADS MEMORY on|off WARM TOKENS  decoding with experts from disk (MiB; 0: resident), as JSON
// disk MODEL                         time in which the disk gives an expert, as JSON
// expert-policies [MODEL...]          hit rates of cache policies on recorded and drawn router traces
// constraints TOKENIZER ARCHIVE      MaskBench: coverage, time of compiling and of masks
// constrained MODEL                  decoding with a schema and without
// otherwise BenchmarkDotNet:         --filter '*Decode*'
int Number(int index) => int.Parse(args[index], CultureInfo.InvariantCulture);
switch (args)
{
    case ["generate", var folder, var size, var recipe]:
        Console.WriteLine(SyntheticModel.All.Single(m => m.Name == size).Write(recipe, folder));
        return 0;
    case ["measure", var model, _, _, _]:
        return await EngineMeasurement.RunAsync(model, Number(2), Number(3), Number(4));
    case ["generate-experts", var folder, var exponent]:
        Console.WriteLine(SyntheticMixture.Write(folder, double.Parse(exponent, CultureInfo.InvariantCulture)));
        return 0;
    case ["experts", var model, _, _, "on" or "off", _, _]:
        return await ExpertMeasurement.RunAsync(model, Number(2), Number(3), args[4] == "on", Number(5), Number(6));
    case ["disk", var model]:
        return DiskSpeed.Run(model);
    case ["expert-policies", .. var models]:
        return await ExpertTrace.CompareAsync(models);
    case ["kernels"]:
        KernelMeasurement.Run();
        return 0;
    case ["profile", var model, _, var work, _]:
        return await EngineMeasurement.ProfileAsync(model, Number(2), work, Number(4));
    case ["bandwidth", _]:
        using (var workers = new WorkerPool(Number(1)))
            Console.WriteLine((ReadBandwidth.Measure(workers, 512L << 20, passes: 5) / 1e9).ToString("F1", CultureInfo.InvariantCulture));
        return 0;
    case ["speed", _]:
        return MachineSpeedMeasurement.Run(Number(1));
    case ["speculation", var model, .. { Length: <= 2 } more]:
        return await SpeculationMeasurement.RunAsync(model, more.ElementAtOrDefault(0), more.ElementAtOrDefault(1));
    case ["widen", var model, var path]:
        WidenedModel.Write(model, path);
        return 0;
    case ["adapters", var model, _, _]:
        return await AdapterMeasurement.RunAsync(model, Number(2), Number(3));
    case ["constraints", var tokenizer, var archive]:
        return ConstraintMeasurement.Run(tokenizer, archive);
    case ["constrained", var model]:
        return await ConstrainedSpeedMeasurement.RunAsync(model);
    case ["quantization", var library, .. var rest]:
        return QuantizationComparison.Run(library, rest.FirstOrDefault());
    default:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
        return 0;
}

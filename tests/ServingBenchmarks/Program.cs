using System.Globalization;
using Slm.ServingBenchmarks;

// MODEL [STREAMS,STREAMS,…] [REQUESTS-PER-STREAM] [JSON-FILE] [SETTING…]
// such as: infra/models/stories.gguf 1,8,32 4 serving.json --Slm:Inference:ChunkTokens=64
if (args.Length == 0)
{
    Console.Error.WriteLine("Give a model file.");
    return 2;
}

var levels = (args.Length > 1 ? args[1] : "1,2,4,8,16,32").Split(',').Select(n => int.Parse(n, CultureInfo.InvariantCulture)).ToArray();
var perStream = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 4;
return await ServingMeasurement.RunAsync(args[0], levels, perStream, args.Length > 3 ? args[3] : null, args.Length > 4 ? args[4..] : []);

using System.Globalization;
using Slm.RouterBenchmarks;

switch (args)
{
    // corpus CORPUS-FOLDER SUITE-FOLDER DOCUMENTS
    case ["corpus", var corpus, var suites, var documents]:
        CallData.Write(corpus, suites, int.Parse(documents, CultureInfo.InvariantCulture));
        return 0;
    default:
        Console.Error.WriteLine("Give: corpus CORPUS-FOLDER SUITE-FOLDER DOCUMENTS");
        return 2;
}

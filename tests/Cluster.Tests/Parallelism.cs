// Clusters that compete for the processors would time the tests' faults by chance.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

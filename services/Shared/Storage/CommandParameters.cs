using System.Data.Common;

namespace Slm.Shared.Storage;

/// <summary>Parameters of both providers.</summary>
internal static class CommandParameters
{
    /// <summary>Adds a parameter; null becomes NULL.</summary>
    public static void Add<T>(this DbCommand command, string name, T? value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = name;
        parameter.Value = value is null ? DBNull.Value : value;
        // PostgreSQL has to know the type of a NULL.
        if (typeof(T) == typeof(long?))
            parameter.DbType = System.Data.DbType.Int64;
        command.Parameters.Add(parameter);
    }
}

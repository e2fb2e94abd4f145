using System.Text.Json.Serialization;

namespace Slm.Engine.Constraints;

[JsonSerializable(typeof(string))]
internal sealed partial class ConstraintJson : JsonSerializerContext;

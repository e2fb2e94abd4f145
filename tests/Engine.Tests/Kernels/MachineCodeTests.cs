using Iced.Intel;
using Slm.Engine.Kernels.Assembled;
using static Iced.Intel.AssemblerRegisters;

namespace Slm.Engine.Tests.Kernels;

/// <summary>Our encodings against those of another assembler, and what it reads in our kernels.</summary>
public sealed class MachineCodeTests
{
    private static readonly AssemblerRegisterZMM[] Wide =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    private static readonly AssemblerRegister64[] General = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];

    [Fact]
    public void Instructions_mean_what_another_assembler_writes()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            var (a, b, c) = (random.Next(32), random.Next(32), random.Next(32));
            var (x, y) = (General[random.Next(16)], General[random.Next(16)]);
            if (y == rsp)
                y = rbp;
            var scale = 1 << random.Next(4);
            var displacement = random.Next(3) switch { 0 => 0, 1 => random.Next(-40, 40) * 4, _ => random.Next(-100000, 100000) };
            var indexed = random.Next(2) == 0;
            var address = new Address((Gpr)Array.IndexOf(General, x), indexed ? (Gpr)Array.IndexOf(General, y) : null, scale, displacement);
            var memory = indexed ? x + (y * scale) + displacement : x + displacement;
            var (ours, theirs) = (new MachineCode(), new Assembler(64));
            ours.AddProducts(a, b, address);
            theirs.vpdpbusd(Wide[a], Wide[b], __dword_bcst[memory]);
            ours.LoadInts(a, address);
            theirs.vmovdqu32(Wide[a], __zmmword_ptr[memory]);
            ours.StoreFloats(address, c);
            theirs.vmovups(__zmmword_ptr[memory], Wide[c]);
            ours.Xor(a, b, c);
            theirs.vpxord(Wide[a], Wide[b], Wide[c]);
            ours.Xor(a, b, address);
            theirs.vpxord(Wide[a], Wide[b], __zmmword_ptr[memory]);
            ours.And(a, b, c);
            theirs.vpandd(Wide[a], Wide[b], Wide[c]);
            ours.Or(a, b, c);
            theirs.vpord(Wide[a], Wide[b], Wide[c]);
            ours.ShiftWordsRight(a, b, 3);
            theirs.vpsrlw(Wide[a], Wide[b], 3);
            ours.ShiftWordsLeft(a, b, 4);
            theirs.vpsllw(Wide[a], Wide[b], 4);
            ours.ShiftIntsLeft(a, b, 16);
            theirs.vpslld(Wide[a], Wide[b], 16);
            ours.ShiftIntsRight(a, b, 16);
            theirs.vpsrad(Wide[a], Wide[b], 16);
            ours.ShuffleBytes(a, b, c);
            theirs.vpshufb(Wide[a], Wide[b], Wide[c]);
            ours.BroadcastInt(a, address);
            theirs.vpbroadcastd(Wide[a], __dword_ptr[memory]);
            ours.BroadcastInt(a, Gpr.R14);
            theirs.vpbroadcastd(Wide[a], r14d);
            ours.BroadcastQuarter(a, address);
            theirs.vbroadcasti32x4(Wide[a], __xmmword_ptr[memory]);
            ours.LoadHalves(a, address);
            theirs.vcvtph2ps(Wide[a], __ymmword_ptr[memory]);
            ours.LoadBytesAsInts(a, address);
            theirs.vpmovzxbd(Wide[a], __xmmword_ptr[memory]);
            ours.LoadBytesAsWords(a, address);
            theirs.vpmovsxbw(Wide[a], __ymmword_ptr[memory]);
            ours.IntsToFloats(a, b);
            theirs.vcvtdq2ps(Wide[a], Wide[b]);
            ours.MultiplyFloats(a, b, c);
            theirs.vmulps(Wide[a], Wide[b], Wide[c]);
            ours.MultiplyFloats(a, b, address);
            theirs.vmulps(Wide[a], Wide[b], __dword_bcst[memory]);
            ours.MultiplyAdd(a, b, c);
            theirs.vfmadd231ps(Wide[a], Wide[b], Wide[c]);
            ours.MultiplyAdd(a, b, address);
            theirs.vfmadd231ps(Wide[a], Wide[b], __dword_bcst[memory]);
            ours.AddInts(a, b, c);
            theirs.vpaddd(Wide[a], Wide[b], Wide[c]);
            ours.MultiplyInts(a, b, c);
            theirs.vpmulld(Wide[a], Wide[b], Wide[c]);
            ours.SubtractWords(a, b, c);
            theirs.vpsubw(Wide[a], Wide[b], Wide[c]);
            ours.MultiplyWords(a, b, c);
            theirs.vpmaddwd(Wide[a], Wide[b], Wide[c]);
            ours.Load((Gpr)Array.IndexOf(General, x), address);
            theirs.mov(x, __qword_ptr[memory]);
            ours.Set((Gpr)Array.IndexOf(General, x), address);
            theirs.lea(x, __[memory]);
            ours.Add((Gpr)Array.IndexOf(General, x), 100000);
            theirs.add(x, 100000);
            ours.Set((Gpr)Array.IndexOf(General, x), 0x123456789abcdef0);
            theirs.mov(x, 0x123456789abcdef0);
            ours.Decrement((Gpr)Array.IndexOf(General, x));
            theirs.dec(x);
            ours.Push((Gpr)Array.IndexOf(General, x));
            theirs.push(x);
            ours.Pop((Gpr)Array.IndexOf(General, x));
            theirs.pop(x);
            ours.Prefetch(address);
            theirs.prefetcht0(__byte_ptr[memory]);
            ours.ZeroUpper();
            theirs.vzeroupper();
            ours.Return();
            theirs.ret();
            using var stream = new MemoryStream();
            theirs.Assemble(new StreamCodeWriter(stream), 0);
            Assert.Equal(Read(stream.ToArray()), Read(ours.ToArray()));
        }
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(4, false)]
    [InlineData(8, false)]
    [InlineData(4, true)]
    [InlineData(8, true)]
    public void Kernels_read_as_whole_instructions_that_keep_the_stack_and_end_in_one_return(int tokens, bool ahead)
    {
        VnniAssembler[] kernels = [Q40Vnni.Assembler(tokens), Q41Vnni.Assembler(tokens), Q50Vnni.Assembler(tokens), Q51Vnni.Assembler(tokens), Q80Vnni.Assembler(tokens), Iq4Vnni.Assembler(tokens), Q4KVnni.Assembler(tokens), Q5KVnni.Assembler(tokens)];
        if (tokens < 8)
            kernels = [.. kernels, Q2KVnni.Assembler(tokens), Q3KVnni.Assembler(tokens), Q6KVnni.Assembler(tokens)];
        foreach (var kernel in kernels)
        {
            var code = kernel.Assemble(ahead);
            var decoder = Decoder.Create(64, code);
            var stack = 0;
            var returns = 0;
            var prefetches = 0;
            while (decoder.IP < (ulong)code.Length)
            {
                var instruction = decoder.Decode();
                Assert.False(instruction.IsInvalid, $"{kernel.GetType().Name} at {instruction.IP:x}");
                stack += instruction.Mnemonic == Mnemonic.Add && instruction.Op0Register == Register.RSP ? (int)instruction.Immediate32 : instruction.StackPointerIncrement;
                returns += instruction.Mnemonic == Mnemonic.Ret ? 1 : 0;
                prefetches += instruction.Mnemonic == Mnemonic.Prefetcht0 ? 1 : 0;
                if (instruction.FlowControl == FlowControl.ConditionalBranch)
                    Assert.InRange(instruction.NearBranchTarget, 1UL, instruction.IP);
            }

            // The return takes the caller's address, 8 bytes.
            Assert.Equal((8, 1), (stack, returns));
            Assert.Equal(ahead, prefetches > 0);
            Assert.Equal((ulong)code.Length, decoder.IP);
        }
    }

    private static string[] Read(byte[] code)
    {
        var decoder = Decoder.Create(64, code);
        var formatter = new NasmFormatter();
        var lines = new List<string>();
        while (decoder.IP < (ulong)code.Length)
        {
            var output = new StringOutput();
            formatter.Format(decoder.Decode(), output);
            lines.Add(output.ToString());
        }

        return [.. lines];
    }
}

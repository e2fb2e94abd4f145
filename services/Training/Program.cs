using TorchSharp;
using static TorchSharp.torch;
using System.Diagnostics;
using Slm.Training.Kernels; using Slm.Training.Model; using Slm.Training.Optimization; using Slm.Training.Data;
torch.set_num_threads(1);
foreach (var (d,l,h,kv,f,v,n) in new[]{(192,7,6,6,512,2048,2048),(192,7,6,6,512,2048,1024),(192,7,6,2,512,2048,2048),(192,6,6,2,512,2048,2048),(256,5,8,4,640,2048,2048),(256,5,8,4,640,2048,4096)}) {
 var shape = new ModelShape{VocabSize=v,HiddenSize=d,LayerCount=l,HeadCount=h,KeyValueHeadCount=kv,FeedForwardSize=f,ContextLength=512};
 var layout = new ParameterLayout(shape);
 using var w = new WeightSet<BrainStorage>(layout); layout.Initialize(w.Values, 1); w.Refresh();
 var rnd = new Random(1);
 PackedBatch Batch(){ var t=new int[n]; var y=new int[n]; for(int i=0;i<n;i++){t[i]=rnd.Next(v);y[i]=rnd.Next(v);} var segs=new List<Segment>(); int at=0; while(at<n){int len=Math.Min(n-at, rnd.Next(150,350)); segs.Add(new Segment(at,len)); at+=len;} return new PackedBatch(t,y,segs);}
 var tasks = Enumerable.Range(0,2).Select(_=>{ var b=Batch(); return Task.Factory.StartNew(()=>{ torch.set_num_threads(1); using var ng=no_grad(); using var wk=new GradientWorker<BrainStorage>(layout,n); using var slot=new GradientSlot<BrainStorage>(layout); double loss=0; for(int i=0;i<3;i++) loss=wk.Run(b,w,slot,1f/n); var sw=Stopwatch.StartNew(); int c=0; while(sw.Elapsed.TotalSeconds<5){wk.Run(b,w,slot,1f/n);c++;} 
   if (true) lock(typeof(Program)) { }
   return (loss/n, c*n/sw.Elapsed.TotalSeconds);}, TaskCreationOptions.LongRunning);}).ToArray();
 Console.WriteLine($"d{d} l{l} kv{kv} f{f} n{n}: params {layout.Length} loss {tasks[0].Result.Item1:F4} tok/s {tasks.Sum(t=>t.Result.Item2):F0}");
}

"""Makes peer.gguf and recipes.json: python3 make.py FOLDER, the folder of libggml-base.so (npm: @node-llama-cpp/linux-x64, bins/linux-x64)."""
import collections, ctypes, json, math, os, random, struct, sys, tempfile
B=os.path.join(sys.argv[1],''); HERE=os.path.dirname(os.path.abspath(__file__)); TMP=tempfile.mkdtemp()
def rd(f,fmt):
    n=struct.calcsize(fmt); return struct.unpack(fmt,f.read(n))[0]
SZ={0:1,1:1,2:2,3:2,4:4,5:4,6:4,7:1,10:8,11:8,12:8}
def rstr(f):
    return f.read(rd(f,'<Q'))
def skip(f,t):
    if t==8: rstr(f)
    elif t==9:
        et=rd(f,'<I'); n=rd(f,'<Q')
        for _ in range(n): skip(f,et)
    else: f.read(SZ[t])
def head(path):
    f=open(path,'rb'); f.read(8); nt=rd(f,'<Q'); nk=rd(f,'<Q'); kv={}
    for _ in range(nk):
        k=rstr(f).decode(); t=rd(f,'<I'); a=f.tell(); skip(f,t); b=f.tell(); f.seek(a); kv[k]=(t,f.read(b-a))
    ts=[]
    for _ in range(nt):
        n=rstr(f).decode(); d=rd(f,'<I'); sh=[rd(f,'<Q') for _ in range(d)]; ty=rd(f,'<I'); off=rd(f,'<Q'); ts.append((n,sh,ty))
    return kv,ts
def wstr(s): b=s.encode(); return struct.pack('<Q',len(b))+b
def make(path,arch,layers,hidden,ffn,heads,kv,experts,tied):
    base,_=head(os.path.join(HERE, '..', 'gguf', 'llama-untied-f32.gguf'))
    vocab=struct.unpack('<Q',base['tokenizer.ggml.tokens'][1][4:12])[0]
    m={k:v for k,v in base.items() if k.startswith('tokenizer')}
    m['general.architecture']=(8,wstr(arch))
    u=lambda x:(4,struct.pack('<I',x))
    for k,x in dict(block_count=layers,context_length=512,embedding_length=hidden,feed_forward_length=ffn).items(): m[f'{arch}.{k}']=u(x)
    m[f'{arch}.attention.head_count']=u(heads); m[f'{arch}.attention.head_count_kv']=u(kv)
    m[f'{arch}.attention.layer_norm_rms_epsilon']=(6,struct.pack('<f',1e-5))
    m[f'{arch}.rope.dimension_count']=u(hidden//heads)
    if experts: m[f'{arch}.expert_count']=u(experts); m[f'{arch}.expert_used_count']=u(2)
    T=[('token_embd.weight',[hidden,vocab]),('output_norm.weight',[hidden])]
    if not tied: T.append(('output.weight',[hidden,vocab]))
    for l in range(layers):
        p=f'blk.{l}.'; k=hidden//heads*kv
        T+=[(p+'attn_norm.weight',[hidden]),(p+'attn_q.weight',[hidden,hidden]),(p+'attn_k.weight',[hidden,k]),(p+'attn_v.weight',[hidden,k]),(p+'attn_output.weight',[hidden,hidden]),(p+'ffn_norm.weight',[hidden])]
        if experts: T+=[(p+'ffn_gate_inp.weight',[hidden,experts]),(p+'ffn_gate_exps.weight',[hidden,ffn,experts]),(p+'ffn_up_exps.weight',[hidden,ffn,experts]),(p+'ffn_down_exps.weight',[ffn,hidden,experts])]
        else: T+=[(p+'ffn_gate.weight',[hidden,ffn]),(p+'ffn_up.weight',[hidden,ffn]),(p+'ffn_down.weight',[ffn,hidden])]
    o=open(path,'wb'); o.write(b'GGUF'+struct.pack('<IQQ',3,len(T),len(m)))
    for k,(t,b) in m.items(): o.write(wstr(k)+struct.pack('<I',t)+b)
    off=0
    import functools
    for n,sh in T:
        o.write(wstr(n)+struct.pack('<I',len(sh))+b''.join(struct.pack('<Q',x) for x in sh)+struct.pack('<IQ',0,off))
        off+=(4*functools.reduce(lambda a,b:a*b,sh)+31)//32*32
    o.write(b'\0'*(-o.tell()%32))
    blob=os.urandom(1<<16); blob=struct.pack('<16384f',*[(b-128)/4000 for b in blob[:16384]])
    left=off
    while left>0: o.write(blob[:left]); left-=len(blob)
    o.close()
TY={0:'F32',1:'F16',30:'BF16',2:'Q4_0',3:'Q4_1',6:'Q5_0',7:'Q5_1',8:'Q8_0',10:'Q2_K',11:'Q3_K',12:'Q4_K',13:'Q5_K',14:'Q6_K',20:'IQ4_NL'}
FT=dict(F16=1,BF16=32,Q8_0=7,Q6_K=18,Q5_K_M=17,Q5_K_S=16,Q5_1=9,Q5_0=8,Q4_K_M=15,Q4_K_S=14,IQ4_NL=25,Q4_1=3,Q4_0=2,Q3_K_L=13,Q3_K_M=12,Q3_K_S=11,Q2_K=10,Q2_K_S=21)
class P(ctypes.Structure): _fields_=[('nthread',ctypes.c_int32),('ftype',ctypes.c_int32),('rest',ctypes.c_uint8*248)]
ctypes.CDLL(B+'libggml-base.so',mode=ctypes.RTLD_GLOBAL)
g=ctypes.CDLL(B+'libggml.v0.5.0.so',mode=ctypes.RTLD_GLOBAL)
L=ctypes.CDLL(B+'libllama.v0.5.0.so')
g.ggml_backend_load.restype=ctypes.c_void_p
g.ggml_backend_load((B+'libggml-cpu-haswell.so').encode())
L.llama_backend_init()
L.llama_model_quantize_default_params.restype=P
def quant(src,dst,ft):
    p=L.llama_model_quantize_default_params(); p.nthread=1; p.ftype=ft
    L.llama_model_quantize.argtypes=[ctypes.c_char_p,ctypes.c_char_p,ctypes.POINTER(P)]; L.llama_model_quantize.restype=ctypes.c_uint32
    return L.llama_model_quantize(src.encode(),dst.encode(),ctypes.byref(p))
CB=ctypes.CFUNCTYPE(None,ctypes.c_int,ctypes.c_char_p,ctypes.c_void_p)
quiet=CB(lambda a,b,c:None); L.llama_log_set(quiet,None)
def recipes():
    res=[]
    specs=[dict(arch='llama',layers=18,hidden=256,ffn=512,heads=8,kv=8,experts=0,tied=False),
           dict(arch='llama',layers=9,hidden=256,ffn=288,heads=8,kv=2,experts=0,tied=True),
           dict(arch='llama',layers=3,hidden=96,ffn=256,heads=4,kv=4,experts=0,tied=False),
           dict(arch='llama',layers=9,hidden=256,ffn=256,heads=8,kv=4,experts=8,tied=False)]
    for s in specs:
        src=os.path.join(TMP, 'src.gguf'); make(src,**s)
        for name,ft in FT.items():
            dst=os.path.join(TMP, 'dst.gguf')
            if os.path.exists(dst): os.remove(dst)
            rc=quant(src,dst,ft)
            if rc!=0: print('fail',s,name,rc,file=sys.stderr); continue
            _,ts=head(dst)
            res.append(dict(s,recipe=name,types={n:TY[t] for n,sh,t in ts if len(sh)>1}))
    return res

g=ctypes.CDLL(B+'libggml-base.so')
g.ggml_quantize_chunk.restype=ctypes.c_size_t
g.ggml_quantize_chunk.argtypes=[ctypes.c_int,ctypes.c_void_p,ctypes.c_void_p,ctypes.c_int64,ctypes.c_int64,ctypes.c_int64,ctypes.c_void_p]
random.seed(3)
R,C=8,512
N=random.gauss
x=[]
for r in range(R):
    for c in range(C):
        v=0.02*N(0,1)
        if r>=4: v/=math.sqrt(sum(N(0,1)**2 for _ in range(3))/3)
        if r==7: v=abs(v)
        if r==6 and c<32: v=0
        x.append(v)
imp=[math.exp(1.5*N(0,1)) for _ in range(C)]
X=(ctypes.c_float*(R*C))(*x); W=(ctypes.c_float*C)(*imp)
T=dict(Q8_0=(8,32,34),Q4_0=(2,32,18),Q4_1=(3,32,20),Q5_0=(6,32,22),Q5_1=(7,32,24),Q2_K=(10,256,84),Q3_K=(11,256,110),Q4_K=(12,256,144),Q5_K=(13,256,176),Q6_K=(14,256,210),IQ4_NL=(20,32,18))
out=[('source',0,[C,R],bytes(X)),('importance',0,[C],bytes(W))]
for n,(t,e,b) in T.items():
    size=R*C//e*b
    for kind,w in (('plain',None),('weighted',W)):
        buf=(ctypes.c_uint8*size)(); got=g.ggml_quantize_chunk(t,X,buf,0,R,C,w); assert got==size
        out.append((f'{kind}.{n}',t,[C,R],bytes(buf)))
        if w is None:
            y=(ctypes.c_float*(R*C))(); f=getattr(g,'dequantize_row_'+(n.lower() if n=='IQ4_NL' or not n.endswith('K') else n[:-1].lower()+'K'))
            f.argtypes=[ctypes.c_void_p,ctypes.c_void_p,ctypes.c_int64]; f(buf,y,R*C)
            out.append((f'values.{n}',0,[C,R],bytes(y)))
o=open(os.path.join(HERE, 'peer.gguf'),'wb')
o.write(b'GGUF'+struct.pack('<IQQ',3,len(out),1)+wstr('general.description')+struct.pack('<I',8)+wstr('Tensors quantized and read back by llama.cpp v0.5.0 (ggml_quantize_chunk, dequantize_row_*): source, importances, plain.TYPE, weighted.TYPE (with importances), values.TYPE (plain.TYPE read back)'))
off=0
for n,t,s,d in out:
    o.write(wstr(n)+struct.pack('<I',len(s))+b''.join(struct.pack('<Q',v) for v in s)+struct.pack('<IQ',t,off)); off+=(len(d)+31)//32*32
o.write(b'\0'*(-o.tell()%32))
for n,t,s,d in out: o.write(d+b'\0'*(-len(d)%32))
o.close()
res=[]
for e in recipes():
    t=e.pop('types'); most=collections.Counter(t.values()).most_common(1)[0][0]
    e['most']=most; e['others']={k:v for k,v in t.items() if v!=most}; res.append(e)
with open(os.path.join(HERE, 'recipes.json'),'w') as f:
    f.write('[\n'+',\n'.join(json.dumps(e) for e in res)+'\n]\n')

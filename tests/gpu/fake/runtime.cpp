// A CUDA runtime without a GPU, preloaded before libcudart. PyTorch's own host code runs on it: the dispatcher, the
// caching allocator, autograd's threads, CUDAGraph, cuBLAS handles and workspaces. Kernels and cuBLAS do nothing,
// device memory is the host's and zeroed, copies are real. Streams, events and captures follow the rules of the CUDA
// programming guide ("CUDA graphs", "Creating a graph using stream capture"), and what breaks one is a fault: it is
// counted, said on stderr, and refused as CUDA would refuse it.
//
// Environment: FAKE_CUDA_DEVICES is the number of GPUs (1 by default), FAKE_CUDA_TRACE prints where a fault was made.

#include <cuda.h>
#include <cuda_runtime_api.h>
#include <cxxabi.h>
#include <execinfo.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))
#define LOCKED std::lock_guard<std::recursive_mutex> lock(mutex)

namespace {

constexpr int MOST_DEVICES = 8;
constexpr size_t TOTAL = 80ull << 30;    // bytes of a GPU's memory
constexpr size_t CONTEXT = 600ull << 20; // bytes that a process's use of a GPU takes by itself

struct Graph {
  std::map<std::string, long> nodes; // how many of each kind
};

struct Stream {
  int device = 0;
  bool capturing = false;
  bool unjoined = false;      // it has captured work that no other captured stream waits for
  unsigned long long capture = 0;
  Graph* graph = nullptr;
};

struct Event {
  Stream* stream = nullptr;
  unsigned long long capture = 0; // in which it was recorded
};

struct Block {
  size_t size;
  int device; // -1: pinned memory of the host
};

std::recursive_mutex mutex;
std::vector<Stream*> streams;
Stream legacy[MOST_DEVICES];
std::map<const char*, Block> blocks;
std::map<const void*, std::string> kernel_names;
std::map<std::string, long> counts;
std::set<Stream*> product_streams; // each has a workspace of cuBLAS
size_t allocated[MOST_DEVICES];
int underway = 0; // captures
unsigned long long captures_begun = 0;
Graph* last_graph = nullptr;

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
thread_local struct { dim3 grid, block; size_t shared; cudaStream_t stream; } configuration;

int devices() {
  static const int number = getenv("FAKE_CUDA_DEVICES") ? atoi(getenv("FAKE_CUDA_DEVICES")) : 1;
  return number;
}

Stream* stream_of(cudaStream_t stream) {
  bool is_legacy = stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
  if (!is_legacy) return reinterpret_cast<Stream*>(stream);
  legacy[current_device].device = current_device;
  return &legacy[current_device];
}

cudaError_t fail(cudaError_t error) { return last_error = error; }

void fault(const std::string& what) {
  ++counts["faults"];
  fprintf(stderr, "FAULT %s\n", what.c_str());
  if (getenv("FAKE_CUDA_TRACE")) {
    void* frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), 2);
  }
}

// A capture in global mode forbids some calls to every thread that is not in relaxed mode.
bool forbidden(const char* call) {
  if (!underway || mode == cudaStreamCaptureModeRelaxed) return false;
  fault(std::string(call) + " during a capture");
  return true;
}

const Block* block_of(const void* address) {
  auto after = blocks.upper_bound(static_cast<const char*>(address));
  if (after == blocks.begin()) return nullptr;
  auto& [begin, block] = *--after;
  return static_cast<const char*>(address) < begin + block.size ? &block : nullptr;
}

bool on_device(const void* address) {
  const Block* block = block_of(address);
  return block && block->device >= 0;
}

// A kernel, a product, or an asynchronous copy: recorded if its stream is being captured, else done (kernels: not at all).
void launch(Stream* stream, const std::string& what) {
  ++counts["launches"];
  if (stream->capturing) {
    ++stream->graph->nodes[what];
    stream->unjoined = true;
  } else if (underway) {
    fault(what + " on a stream that is not captured, during a capture");
  }
}

cudaError_t launch_kernel(const void* function, cudaStream_t stream) {
  LOCKED;
  auto name = kernel_names.find(function);
  launch(stream_of(stream), name == kernel_names.end() ? "kernel" : name->second);
  return cudaSuccess;
}

std::string readable(const std::string& mangled) {
  int status;
  char* name = abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status);
  std::string result = name ? name : mangled;
  free(name);
  return result;
}

} // namespace

// ---- What a check asks for ----

API long fake_cuda_count(const char* name) {
  LOCKED;
  if (!strcmp(name, "product_streams")) return product_streams.size();
  return counts[name];
}

// The number of faults, which are forgotten then, as are captures that they have left unfinished.
API long fake_cuda_forgive() {
  LOCKED;
  for (Stream* stream : streams) stream->capturing = false, stream->capture = 0;
  for (Stream& stream : legacy) stream.capturing = false, stream.capture = 0;
  underway = 0;
  return std::exchange(counts["faults"], 0);
}

// The kinds of node of the last recorded graph, a line each: number, tab, name.
API void fake_cuda_last_graph(char* text, long size) {
  LOCKED;
  std::string lines;
  if (last_graph)
    for (auto& [kind, number] : last_graph->nodes) lines += std::to_string(number) + "\t" + readable(kind) + "\n";
  strncpy(text, lines.c_str(), size - 1);
  text[size - 1] = 0;
}

// ---- Kernels: nvcc's generated code registers and launches them by these ----

API void** __cudaRegisterFatBinary(void*) { static void* handle; return &handle; }
API void __cudaRegisterFatBinaryEnd(void**) {}
API void __cudaUnregisterFatBinary(void**) {}
API void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
API void __cudaRegisterFunction(void**, const char* function, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*, int*) {
  LOCKED;
  kernel_names[function] = name;
}
API unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, cudaStream_t stream) {
  configuration = {grid, block, shared, stream};
  return 0;
}
API cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
  *grid = configuration.grid, *block = configuration.block, *shared = configuration.shared;
  *static_cast<cudaStream_t*>(stream) = configuration.stream;
  return cudaSuccess;
}
API cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
API cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3, dim3, void**, size_t, cudaStream_t stream) { return launch_kernel(kernel, stream); }
API cudaError_t cudaLaunchKernel(const void* function, dim3, dim3, void**, size_t, cudaStream_t stream) { return launch_kernel(function, stream); }
API cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void**) { return launch_kernel(function, config->stream); }
API cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  memset(attributes, 0, sizeof *attributes);
  attributes->maxThreadsPerBlock = 1024, attributes->numRegs = 32;
  attributes->ptxVersion = attributes->binaryVersion = 90;
  return cudaSuccess;
}
API cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }
API cudaError_t cudaKernelSetAttributeForDevice(cudaKernel_t, cudaFuncAttribute, int, int) { return cudaSuccess; }
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* number, const void*, int, size_t) { *number = 2; return cudaSuccess; }
API cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* number, const void*, int, size_t, unsigned) { *number = 2; return cudaSuccess; }
API cudaError_t cudaGetSymbolAddress(void** address, const void*) { static char memory[1 << 16]; *address = memory; return cudaSuccess; }
API cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* data) { function(data); return cudaSuccess; }
API cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t function, void* data, unsigned) { function(stream, cudaSuccess, data); return cudaSuccess; }

// ---- Devices: H100s by their numbers ----

API cudaError_t cudaGetDeviceCount(int* number) { *number = devices(); return cudaSuccess; }
API cudaError_t cudaGetDevice(int* device) { *device = current_device; return cudaSuccess; }
API cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= devices()) return fail(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}
API cudaError_t cudaDriverGetVersion(int* version) { *version = 13020; return cudaSuccess; }
API cudaError_t cudaRuntimeGetVersion(int* version) { *version = CUDART_VERSION; return cudaSuccess; }
API cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  memset(p, 0, sizeof *p);
  strcpy(p->name, "Fake H100");
  p->major = 9, p->minor = 0;
  p->totalGlobalMem = TOTAL, p->totalConstMem = 65536, p->l2CacheSize = 50 << 20;
  p->multiProcessorCount = 132, p->warpSize = 32;
  p->maxThreadsPerBlock = 1024, p->maxThreadsPerMultiProcessor = 2048, p->maxBlocksPerMultiProcessor = 32;
  p->sharedMemPerBlock = 49152, p->sharedMemPerBlockOptin = 232448, p->sharedMemPerMultiprocessor = 233472;
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
  for (int axis = 0; axis < 3; axis++) {
    p->maxThreadsDim[axis] = axis < 2 ? 1024 : 64;
    p->maxGridSize[axis] = axis ? 65535 : 2147483647;
  }
  p->concurrentKernels = p->unifiedAddressing = 1, p->textureAlignment = 512;
  return cudaSuccess;
}
API cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  static const std::map<int, int> known = {
      {cudaDevAttrMultiProcessorCount, 132}, {cudaDevAttrComputeCapabilityMajor, 9}, {cudaDevAttrComputeCapabilityMinor, 0},
      {cudaDevAttrMaxThreadsPerMultiProcessor, 2048}, {cudaDevAttrMaxThreadsPerBlock, 1024}, {cudaDevAttrWarpSize, 32},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, 232448}, {cudaDevAttrMaxSharedMemoryPerBlock, 49152},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 233472}, {cudaDevAttrMaxBlocksPerMultiprocessor, 32},
      {cudaDevAttrMaxRegistersPerBlock, 65536}, {cudaDevAttrMaxRegistersPerMultiprocessor, 65536},
      {cudaDevAttrMaxGridDimX, 2147483647}, {cudaDevAttrMaxGridDimY, 65535}, {cudaDevAttrMaxGridDimZ, 65535},
      {cudaDevAttrL2CacheSize, 50 << 20}};
  auto found = known.find(attribute);
  *value = found == known.end() ? 0 : found->second;
  return cudaSuccess;
}
API cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int device) { snprintf(text, size, "0000:0%d:00.0", device); return cudaSuccess; }
API cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { *can = 0; return cudaSuccess; }
API cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }
API cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return cudaSuccess;
}
API cudaError_t cudaDeviceSynchronize() {
  LOCKED;
  return forbidden("cudaDeviceSynchronize") ? fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}
API cudaError_t cudaGetLastError() { cudaError_t error = last_error; last_error = cudaSuccess; return error; }
API cudaError_t cudaPeekAtLastError() { return last_error; }
API const char* cudaGetErrorName(cudaError_t error) { return error ? "cudaErrorFake" : "cudaSuccess"; }
API const char* cudaGetErrorString(cudaError_t error) {
  static thread_local char text[64];
  snprintf(text, sizeof text, "fake CUDA error %d", error);
  return text;
}
API cudaError_t cudaProfilerStart() { return cudaSuccess; }
API cudaError_t cudaProfilerStop() { return cudaSuccess; }

// ---- Memory ----

API cudaError_t cudaMalloc(void** address, size_t size) {
  LOCKED;
  if (forbidden("cudaMalloc")) return fail(cudaErrorStreamCaptureUnsupported);
  if (allocated[current_device] + size + CONTEXT > TOTAL) return fail(cudaErrorMemoryAllocation);
  *address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  blocks[static_cast<char*>(*address)] = {size, current_device};
  allocated[current_device] += size;
  return cudaSuccess;
}
API cudaError_t cudaMallocManaged(void** address, size_t size, unsigned) { return cudaMalloc(address, size); }
API cudaError_t cudaFree(void* address) {
  LOCKED;
  if (address && forbidden("cudaFree")) return fail(cudaErrorStreamCaptureUnsupported);
  auto found = blocks.find(static_cast<char*>(address));
  if (found == blocks.end()) return cudaSuccess;
  allocated[found->second.device] -= found->second.size;
  munmap(address, found->second.size);
  blocks.erase(found);
  return cudaSuccess;
}
API cudaError_t cudaHostAlloc(void** address, size_t size, unsigned) {
  LOCKED;
  if (forbidden("cudaHostAlloc")) return fail(cudaErrorStreamCaptureUnsupported);
  *address = calloc(1, size);
  blocks[static_cast<char*>(*address)] = {size, -1};
  return cudaSuccess;
}
API cudaError_t cudaMallocHost(void** address, size_t size) { return cudaHostAlloc(address, size, 0); }
API cudaError_t cudaFreeHost(void* address) {
  LOCKED;
  blocks.erase(static_cast<char*>(address));
  free(address);
  return cudaSuccess;
}
API cudaError_t cudaHostRegister(void*, size_t, unsigned) { return cudaSuccess; }
API cudaError_t cudaHostUnregister(void*) { return cudaSuccess; }
API cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  LOCKED;
  *total = TOTAL, *available = TOTAL - allocated[current_device] - CONTEXT;
  return cudaSuccess;
}
API cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  LOCKED;
  memset(attributes, 0, sizeof *attributes);
  const Block* block = block_of(address);
  attributes->type = !block ? cudaMemoryTypeUnregistered : block->device < 0 ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
  attributes->device = block && block->device >= 0 ? block->device : 0;
  attributes->devicePointer = const_cast<void*>(address);
  return cudaSuccess;
}

// In a capture a copy may touch device memory and pinned memory; the driver would have to wait for any other.
API cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind, cudaStream_t handle) {
  LOCKED;
  Stream* stream = stream_of(handle);
  if (stream->capturing) {
    if (!block_of(from)) fault("copy from the host's memory in a capture");
    if (!block_of(to)) fault("copy to the host's memory in a capture");
    launch(stream, "copy");
    return cudaSuccess;
  }
  if (underway) fault("copy beside a capture");
  if (on_device(from) && !on_device(to)) ++counts["copies to host"];
  memmove(to, from, size);
  return cudaSuccess;
}
API cudaError_t cudaMemcpy(void* to, const void* from, size_t size, cudaMemcpyKind) {
  LOCKED;
  if (forbidden("cudaMemcpy")) return fail(cudaErrorStreamCaptureUnsupported);
  memmove(to, from, size);
  return cudaSuccess;
}
API cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, cudaStream_t stream) { return cudaMemcpyAsync(to, from, size, cudaMemcpyDefault, stream); }
API cudaError_t cudaMemcpyToSymbol(const void*, const void*, size_t, size_t, cudaMemcpyKind) { return cudaSuccess; }
API cudaError_t cudaMemsetAsync(void* address, int value, size_t size, cudaStream_t handle) {
  LOCKED;
  Stream* stream = stream_of(handle);
  if (!stream->capturing && !underway) memset(address, value, size);
  else launch(stream, "memset");
  return cudaSuccess;
}
API cudaError_t cudaMemset(void* address, int value, size_t size) { memset(address, value, size); return cudaSuccess; }

// ---- Streams and events: all work is done at once, so only captures have to be followed ----

API cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  LOCKED;
  streams.push_back(new Stream{current_device});
  *stream = reinterpret_cast<cudaStream_t>(streams.back());
  return cudaSuccess;
}
API cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) { return cudaStreamCreateWithPriority(stream, flags, 0); }
API cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithPriority(stream, 0, 0); }
API cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
API cudaError_t cudaStreamGetPriority(cudaStream_t, int* priority) { *priority = 0; return cudaSuccess; }
API cudaError_t cudaStreamQuery(cudaStream_t stream) {
  LOCKED;
  if (!stream_of(stream)->capturing) return cudaSuccess;
  fault("cudaStreamQuery of a captured stream");
  return fail(cudaErrorStreamCaptureUnsupported);
}
API cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  LOCKED;
  if (!stream_of(stream)->capturing) return forbidden("cudaStreamSynchronize") ? fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
  fault("cudaStreamSynchronize of a captured stream");
  return fail(cudaErrorStreamCaptureUnsupported);
}
API cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { *event = reinterpret_cast<cudaEvent_t>(new Event); return cudaSuccess; }
API cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
API cudaError_t cudaEventDestroy(cudaEvent_t event) { delete reinterpret_cast<Event*>(event); return cudaSuccess; }
API cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  LOCKED;
  Stream* stream = stream_of(handle);
  *reinterpret_cast<Event*>(event) = {stream, stream->capturing ? stream->capture : 0};
  return cudaSuccess;
}
API cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) { return cudaEventRecord(event, stream); }
API cudaError_t cudaEventQuery(cudaEvent_t event) {
  LOCKED;
  if (reinterpret_cast<Event*>(event)->capture && underway) {
    fault("cudaEventQuery of a captured event");
    return fail(cudaErrorCapturedEvent);
  }
  return forbidden("cudaEventQuery") ? fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}
API cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  LOCKED;
  if (reinterpret_cast<Event*>(event)->capture && underway) {
    fault("cudaEventSynchronize of a captured event");
    return fail(cudaErrorStreamCaptureUnsupported);
  }
  return forbidden("cudaEventSynchronize") ? fail(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}
API cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) { *milliseconds = 1; return cudaSuccess; }

// A stream that waits for a captured event joins the capture, and the event's own stream is joined by it.
API cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned) {
  LOCKED;
  Stream* stream = stream_of(handle);
  Event* event = reinterpret_cast<Event*>(event_handle);
  if (!event->stream || (!event->capture && !stream->capturing)) return cudaSuccess;
  if (!event->capture) {
    fault("a captured stream waits for an event from outside");
    return fail(cudaErrorStreamCaptureIsolation);
  }
  if (stream->capturing) {
    if (event->stream != stream) event->stream->unjoined = false;
    return cudaSuccess;
  }
  if (stream == &legacy[stream->device]) {
    fault("the default stream waits for a captured event");
    return fail(cudaErrorStreamCaptureImplicit);
  }
  stream->capturing = stream->unjoined = true;
  stream->capture = event->capture, stream->graph = event->stream->graph;
  return cudaSuccess;
}

// ---- Captures and graphs ----

API cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* other) { std::swap(mode, *other); return cudaSuccess; }
API cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  LOCKED;
  Stream* stream = stream_of(handle);
  if (stream == &legacy[current_device] || stream->capturing) return fail(cudaErrorStreamCaptureUnsupported);
  stream->capturing = true, stream->unjoined = false;
  stream->capture = ++captures_begun, stream->graph = new Graph;
  ++underway, ++counts["captures"];
  return cudaSuccess;
}
API cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  LOCKED;
  Stream* origin = stream_of(handle);
  if (!origin->capturing) return fail(cudaErrorIllegalState);
  bool unjoined = false;
  const auto capture = origin->capture;
  for (Stream* stream : streams) {
    if (!stream->capturing || stream->capture != capture) continue;
    unjoined |= stream != origin && stream->unjoined;
    stream->capturing = false, stream->capture = 0;
  }
  --underway;
  *graph = reinterpret_cast<cudaGraph_t>(last_graph = origin->graph);
  if (!unjoined) return cudaSuccess;
  fault("a capture ends with work that is not joined");
  *graph = nullptr;
  return fail(cudaErrorStreamCaptureUnjoined);
}
API cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  LOCKED;
  *status = stream_of(stream)->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
API cudaError_t cudaStreamGetCaptureInfo(
    cudaStream_t handle, cudaStreamCaptureStatus* status, unsigned long long* id, cudaGraph_t* graph,
    const cudaGraphNode_t** dependencies, const cudaGraphEdgeData** edges, size_t* number) {
  LOCKED;
  Stream* stream = stream_of(handle);
  *status = stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  if (!stream->capturing) return cudaSuccess;
  if (id) *id = stream->capture;
  if (graph) *graph = reinterpret_cast<cudaGraph_t>(stream->graph);
  if (dependencies) *dependencies = nullptr;
  if (edges) *edges = nullptr;
  if (number) *number = 0;
  return cudaSuccess;
}
API cudaError_t cudaStreamUpdateCaptureDependencies(cudaStream_t, cudaGraphNode_t*, const cudaGraphEdgeData*, size_t, unsigned) { return cudaSuccess; }
API cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* number) {
  *number = 0;
  for (auto& [kind, count] : reinterpret_cast<Graph*>(graph)->nodes) *number += count;
  return cudaSuccess;
}
API cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = reinterpret_cast<cudaGraphExec_t>(graph);
  return cudaSuccess;
}
API cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) { return cudaGraphInstantiateWithFlags(executable, graph, flags); }
API cudaError_t cudaGraphDestroy(cudaGraph_t) { return cudaSuccess; }
API cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { LOCKED; forbidden("cudaGraphExecDestroy"); return cudaSuccess; }
API cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) {
  LOCKED;
  ++counts["replays"];
  if (underway) fault("cudaGraphLaunch during a capture");
  return cudaSuccess;
}

// ---- The driver, where PyTorch asks the runtime for it (driver.c has what is linked) ----

static CUresult succeed() { return CUDA_SUCCESS; }
static CUresult context_state(CUdevice, unsigned* flags, int* active) { *flags = 0, *active = 1; return CUDA_SUCCESS; }
static CUresult error_text(CUresult, const char** text) { *text = "fake"; return CUDA_SUCCESS; }
API cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long, cudaDriverEntryPointQueryResult* result) {
  if (result) *result = cudaDriverEntryPointSuccess;
  if (!strcmp(name, "cuDevicePrimaryCtxGetState")) *function = reinterpret_cast<void*>(context_state);
  else if (!strncmp(name, "cuGetError", strlen("cuGetError"))) *function = reinterpret_cast<void*>(error_text);
  else *function = reinterpret_cast<void*>(succeed);
  return cudaSuccess;
}

// ---- cuBLAS: handles have a stream, products are launches on it ----

static cudaStream_t& stream_in(void* handle) { return *static_cast<cudaStream_t*>(handle); }
static int multiply(cudaStream_t stream, const char* name) {
  LOCKED;
  product_streams.insert(stream_of(stream));
  launch(stream_of(stream), name);
  return 0;
}
API int cublasCreate_v2(void** handle) {
  LOCKED;
  if (forbidden("cublasCreate")) return 1;
  *handle = new cudaStream_t(nullptr);
  return 0;
}
API int cublasDestroy_v2(void*) { return 0; }
API int cublasSetStream_v2(void* handle, cudaStream_t stream) { stream_in(handle) = stream; return 0; }
API int cublasGetStream_v2(void* handle, cudaStream_t* stream) { *stream = stream_in(handle); return 0; }
API int cublasSetWorkspace_v2(void*, void*, size_t) { return 0; }
API int cublasSetMathMode(void*, int) { return 0; }
API int cublasGetMathMode(void*, int* math_mode) { *math_mode = 0; return 0; }
API int cublasSetPointerMode_v2(void*, int) { return 0; }
API int cublasGetPointerMode_v2(void*, int* pointer_mode) { *pointer_mode = 0; return 0; }
API int cublasSetSmCountTarget(void*, int) { return 0; }
#define PRODUCT(name) API int name(void* handle) { return multiply(stream_in(handle), #name); }
PRODUCT(cublasSgemmEx) PRODUCT(cublasGemmEx) PRODUCT(cublasGemmStridedBatchedEx) PRODUCT(cublasSgemmStridedBatched)
PRODUCT(cublasSgemm_v2) PRODUCT(cublasDgemm_v2) PRODUCT(cublasDgemmStridedBatched) PRODUCT(cublasSgemv_v2)
PRODUCT(cublasDgemv_v2) PRODUCT(cublasSdot_v2) PRODUCT(cublasDdot_v2)
#define DESCRIPTION(name, ...) \
  API int name##Create(void** made, ##__VA_ARGS__) { *made = malloc(8); return 0; } \
  API int name##Destroy(void* made) { free(made); return 0; } \
  API int name##SetAttribute() { return 0; }
DESCRIPTION(cublasLtMatmulDesc, int, int)
DESCRIPTION(cublasLtMatrixLayout)
DESCRIPTION(cublasLtMatmulPreference)
API int cublasLtCreate(void** handle) { return cublasCreate_v2(handle); }
API int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int, void* results, int* number) {
  memset(results, 0, 80);
  *number = 1;
  return 0;
}
API int cublasLtMatmul(void*, void*, const void*, const void*, void*, const void*, void*, const void*, const void*, void*, void*, void*, const void*, void*, size_t, cudaStream_t stream) {
  return multiply(stream, "cublasLtMatmul");
}

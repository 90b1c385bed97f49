/* libcuda.so.1 without a driver: PyTorch is linked to it, so it has to be there. */

#define SUCCEED(name) int name(void) { return 0; }
SUCCEED(cuInit) SUCCEED(cuDeviceGet) SUCCEED(cuDeviceGetAttribute)
SUCCEED(cuCtxSetCurrent) SUCCEED(cuDevicePrimaryCtxRetain)
SUCCEED(cuFuncGetAttribute) SUCCEED(cuFuncSetAttribute) SUCCEED(cuFuncSetCacheConfig)
SUCCEED(cuGetErrorString) SUCCEED(cuPointerGetAttribute) SUCCEED(cuTensorMapEncodeTiled)
SUCCEED(cuLaunchKernel) SUCCEED(cuLaunchCooperativeKernel) SUCCEED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
SUCCEED(cuLinkCreate_v2) SUCCEED(cuLinkAddData_v2) SUCCEED(cuLinkComplete)
SUCCEED(cuModuleLoad) SUCCEED(cuModuleLoadData) SUCCEED(cuModuleLoadDataEx) SUCCEED(cuModuleGetFunction)
SUCCEED(cuModuleUnload)

int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) { if (flags) *flags = 0; if (active) *active = 1; return 0; }
int cuDriverGetVersion(int *version) { *version = 13020; return 0; }
int cuDeviceGetCount(int *number) { *number = 1; return 0; }
int cuCtxGetCurrent(void **context) { *context = (void *)1; return 0; }

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tank.h"
typedef int S;
typedef void *I;
typedef const unsigned *V;
#define T Tank *t = c
#define OK return 0
#define UNUSED(name) S fmi3##name(void) { return 3; }

const char *fmi3GetVersion(void) { return "3.0"; }
static I made(void) { Tank *t = malloc(sizeof *t); tank_usual(t); return t; }
I fmi3InstantiateModelExchange(const char *n, const char *g, const char *r, bool v, bool l, void *e, void *f) { return made(); }
I fmi3InstantiateCoSimulation(const char *n, const char *g, const char *r, bool v, bool l, bool m, bool y, V q, size_t k, void *e, void *f, void *u) { return made(); }
void fmi3FreeInstance(I c) { free(c); }
S fmi3EnterInitializationMode(I c, bool d, double a, double s, bool e, double f) { T; t->time = s; OK; }
S fmi3ExitInitializationMode(I c) { OK; }
S fmi3EnterEventMode(I c) { OK; }
S fmi3Terminate(I c) { OK; }
S fmi3Reset(I c) { return 3; }  /* many do not know how: a new instance is made */
S fmi3GetFloat64(I c, V vr, size_t n, double v[], size_t m) { T; for (size_t i = 0; i < n; i++) v[i] = tank_get(t, vr[i]); OK; }
S fmi3SetFloat64(I c, V vr, size_t n, const double v[], size_t m) { T; for (size_t i = 0; i < n; i++) tank_set(t, vr[i], v[i]); OK; }
S fmi3GetInt32(I c, V vr, size_t n, int32_t v[], size_t m) { T; for (size_t i = 0; i < n; i++) v[i] = vr[i] == PROBE ? t->probe : t->fault; OK; }
S fmi3SetInt32(I c, V vr, size_t n, const int32_t v[], size_t m) { T; for (size_t i = 0; i < n; i++) t->fault = v[i]; OK; }
S fmi3GetBoolean(I c, V vr, size_t n, bool v[], size_t m) { T; for (size_t i = 0; i < n; i++) v[i] = t->open; OK; }
S fmi3UpdateDiscreteStates(I c, bool *a, bool *b, bool *d, bool *e, bool *f, double *g) { T; tank_event(t); *a = *b = *d = *e = *f = 0; *g = 0; OK; }
S fmi3EnterContinuousTimeMode(I c) { OK; }
S fmi3CompletedIntegratorStep(I c, bool n, bool *e, bool *s) { T; *e = *s = 0; return tank_misbehave(t) ? 0 : 3; }
S fmi3SetTime(I c, double v) { T; t->time = v; OK; }
S fmi3SetContinuousStates(I c, const double x[], size_t n) { T; t->level = x[0]; OK; }
S fmi3GetContinuousStateDerivatives(I c, double d[], size_t n) { T; d[0] = tank_slope(t); OK; }
S fmi3GetEventIndicators(I c, double z[], size_t n) { T; z[0] = tank_indicator(t); OK; }
S fmi3GetContinuousStates(I c, double x[], size_t n) { T; x[0] = t->level; OK; }
S fmi3GetNominalsOfContinuousStates(I c, double x[], size_t n) { x[0] = 1; OK; }
S fmi3GetNumberOfEventIndicators(I c, size_t *n) { *n = 1; OK; }
S fmi3GetNumberOfContinuousStates(I c, size_t *n) { *n = 1; OK; }
S fmi3EnterStepMode(I c) { OK; }
S fmi3DoStep(I c, double at, double h, bool n, bool *a, bool *b, bool *d, double *last) {
  T; *a = *b = *d = 0; if (!tank_step(t, h)) return 3; *last = at + h; OK;
}
UNUSED(ActivateModelPartition) UNUSED(DeserializeFMUState) UNUSED(EnterConfigurationMode)
UNUSED(EvaluateDiscreteStates) UNUSED(ExitConfigurationMode) UNUSED(FreeFMUState)
UNUSED(GetAdjointDerivative) UNUSED(GetBinary) UNUSED(GetClock) UNUSED(GetDirectionalDerivative)
UNUSED(GetFMUState) UNUSED(GetFloat32) UNUSED(GetInt16) UNUSED(GetInt64) UNUSED(GetInt8)
UNUSED(GetIntervalDecimal) UNUSED(GetIntervalFraction) UNUSED(GetNumberOfVariableDependencies)
UNUSED(GetOutputDerivatives) UNUSED(GetShiftDecimal) UNUSED(GetShiftFraction) UNUSED(GetString)
UNUSED(GetUInt16) UNUSED(GetUInt32) UNUSED(GetUInt64) UNUSED(GetUInt8)
UNUSED(GetVariableDependencies) UNUSED(InstantiateScheduledExecution) UNUSED(SerializeFMUState)
UNUSED(SerializedFMUStateSize) UNUSED(SetBinary) UNUSED(SetBoolean) UNUSED(SetClock)
UNUSED(SetDebugLogging) UNUSED(SetFMUState) UNUSED(SetFloat32) UNUSED(SetInt16) UNUSED(SetInt64)
UNUSED(SetInt8) UNUSED(SetIntervalDecimal) UNUSED(SetIntervalFraction) UNUSED(SetShiftDecimal)
UNUSED(SetShiftFraction) UNUSED(SetString) UNUSED(SetUInt16) UNUSED(SetUInt32) UNUSED(SetUInt64)
UNUSED(SetUInt8)

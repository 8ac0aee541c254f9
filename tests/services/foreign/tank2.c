#include "tank.h"
#include "fmi2Functions.h"
#define T Tank *t = (Tank *)c
#define NO { (void)c; return fmi2Error; }
#define OK return fmi2OK

const char *fmi2GetTypesPlatform(void) { return "default"; }
const char *fmi2GetVersion(void) { return "2.0"; }
fmi2Status fmi2SetDebugLogging(fmi2Component c, fmi2Boolean a, size_t b, const fmi2String d[]) { OK; }
fmi2Component fmi2Instantiate(fmi2String n, fmi2Type k, fmi2String g, fmi2String r, const fmi2CallbackFunctions *f, fmi2Boolean v, fmi2Boolean l) {
  Tank *t = malloc(sizeof *t); tank_usual(t); return t;
}
void fmi2FreeInstance(fmi2Component c) { free(c); }
fmi2Status fmi2SetupExperiment(fmi2Component c, fmi2Boolean a, fmi2Real b, fmi2Real s, fmi2Boolean d, fmi2Real e) { T; t->time = s; OK; }
fmi2Status fmi2EnterInitializationMode(fmi2Component c) { OK; }
fmi2Status fmi2ExitInitializationMode(fmi2Component c) { OK; }
fmi2Status fmi2Terminate(fmi2Component c) { OK; }
fmi2Status fmi2Reset(fmi2Component c) { T; tank_usual(t); OK; }
fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Real v[]) { T; for (size_t i = 0; i < n; i++) v[i] = tank_get(t, vr[i]); OK; }
fmi2Status fmi2GetInteger(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Integer v[]) { T; for (size_t i = 0; i < n; i++) v[i] = vr[i] == PROBE ? t->probe : t->fault; OK; }
fmi2Status fmi2GetBoolean(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Boolean v[]) { T; for (size_t i = 0; i < n; i++) v[i] = t->open; OK; }
fmi2Status fmi2GetString(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2String v[]) NO
fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Real v[]) { T; for (size_t i = 0; i < n; i++) tank_set(t, vr[i], v[i]); OK; }
fmi2Status fmi2SetInteger(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Integer v[]) { T; for (size_t i = 0; i < n; i++) t->fault = v[i]; OK; }
fmi2Status fmi2SetBoolean(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Boolean v[]) NO
fmi2Status fmi2SetString(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2String v[]) NO
fmi2Status fmi2GetFMUstate(fmi2Component c, fmi2FMUstate *s) NO
fmi2Status fmi2SetFMUstate(fmi2Component c, fmi2FMUstate s) NO
fmi2Status fmi2FreeFMUstate(fmi2Component c, fmi2FMUstate *s) NO
fmi2Status fmi2SerializedFMUstateSize(fmi2Component c, fmi2FMUstate s, size_t *n) NO
fmi2Status fmi2SerializeFMUstate(fmi2Component c, fmi2FMUstate s, fmi2Byte b[], size_t n) NO
fmi2Status fmi2DeSerializeFMUstate(fmi2Component c, const fmi2Byte b[], size_t n, fmi2FMUstate *s) NO
fmi2Status fmi2GetDirectionalDerivative(fmi2Component c, const fmi2ValueReference u[], size_t nu, const fmi2ValueReference k[], size_t nk, const fmi2Real d[], fmi2Real e[]) NO

fmi2Status fmi2EnterEventMode(fmi2Component c) { OK; }
fmi2Status fmi2NewDiscreteStates(fmi2Component c, fmi2EventInfo *e) { T; tank_event(t); memset(e, 0, sizeof *e); OK; }
fmi2Status fmi2EnterContinuousTimeMode(fmi2Component c) { OK; }
fmi2Status fmi2CompletedIntegratorStep(fmi2Component c, fmi2Boolean n, fmi2Boolean *e, fmi2Boolean *s) { T; *e = *s = 0; return tank_misbehave(t) ? fmi2OK : fmi2Error; }
fmi2Status fmi2SetTime(fmi2Component c, fmi2Real v) { T; t->time = v; OK; }
fmi2Status fmi2SetContinuousStates(fmi2Component c, const fmi2Real x[], size_t n) { T; t->level = x[0]; OK; }
fmi2Status fmi2GetDerivatives(fmi2Component c, fmi2Real d[], size_t n) { T; d[0] = tank_slope(t); OK; }
fmi2Status fmi2GetEventIndicators(fmi2Component c, fmi2Real z[], size_t n) { T; z[0] = tank_indicator(t); OK; }
fmi2Status fmi2GetContinuousStates(fmi2Component c, fmi2Real x[], size_t n) { T; x[0] = t->level; OK; }
fmi2Status fmi2GetNominalsOfContinuousStates(fmi2Component c, fmi2Real x[], size_t n) { x[0] = 1; OK; }

fmi2Status fmi2SetRealInputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Integer o[], const fmi2Real v[]) NO
fmi2Status fmi2GetRealOutputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Integer o[], fmi2Real v[]) NO
fmi2Status fmi2DoStep(fmi2Component c, fmi2Real at, fmi2Real h, fmi2Boolean n) { T; return tank_step(t, h) ? fmi2OK : fmi2Error; }
fmi2Status fmi2CancelStep(fmi2Component c) NO
fmi2Status fmi2GetStatus(fmi2Component c, const fmi2StatusKind s, fmi2Status *v) NO
fmi2Status fmi2GetRealStatus(fmi2Component c, const fmi2StatusKind s, fmi2Real *v) NO
fmi2Status fmi2GetIntegerStatus(fmi2Component c, const fmi2StatusKind s, fmi2Integer *v) NO
fmi2Status fmi2GetBooleanStatus(fmi2Component c, const fmi2StatusKind s, fmi2Boolean *v) NO
fmi2Status fmi2GetStringStatus(fmi2Component c, const fmi2StatusKind s, fmi2String *v) NO

/* Numbers and times as JSON writes them, each with a reader that reads it exactly or leaves it. */

#define EXACT 9007199254740992LL /* 2^53: whole numbers below are exact as float64 */

typedef struct {
    const char *p, *end;
} Text;

static inline void
space(Text *text)
{
    while (text->p < text->end &&
           (*text->p == ' ' || *text->p == '\n' || *text->p == '\t' || *text->p == '\r'))
        text->p++;
}

/* Whether this character comes next; takes it and the space after it. */
static inline int
take(Text *text, char wanted)
{
    if (text->p == text->end || *text->p != wanted)
        return 0;
    text->p++;
    space(text);
    return 1;
}

static inline int
next_is(const Text *text, char wanted)
{
    return text->p < text->end && *text->p == wanted;
}

static inline int
is_digit(const char *p, const char *end)
{
    return p < end && (uint8_t)(*p - '0') < 10;
}

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

#ifdef __SIZEOF_INT128__
/* number / 10^places, correctly rounded; number > 0, 0 < places < 20. */
static double
ratio(uint64_t number, int places)
{
    uint64_t divisor = 1;
    for (int i = 0; i < places; i++)
        divisor *= 10;
    int up = __builtin_clzll(number), down = __builtin_clzll(divisor);
    divisor <<= down;
    unsigned __int128 whole = (unsigned __int128)(number << up) << 63;
    uint64_t quotient = (uint64_t)(whole / divisor); /* 2^62 < quotient < 2^64 */
    int is_more = whole % divisor != 0;
    int shift = 11 - __builtin_clzll(quotient);
    uint64_t rest = quotient & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    uint64_t kept = quotient >> shift;
    if (rest > half || (rest == half && (is_more || kept & 1)))
        kept++;
    return ldexp((double)kept, shift - 63 + down - up);
}
#endif

/* The number that is written from `begin` to `end`, by Python's own correctly rounded reader. */
static int
read_slowly(const char *begin, const char *end, double *fraction)
{
    char copy[64];
    if ((size_t)(end - begin) >= sizeof copy)
        return LEFT;
    memcpy(copy, begin, (size_t)(end - begin));
    copy[end - begin] = 0;
    PyGILState_STATE state = PyGILState_Ensure(); /* a long payload is read without it */
    *fraction = PyOS_string_to_double(copy, NULL, NULL);
    int has_failed = *fraction == -1.0 && PyErr_Occurred();
    if (has_failed)
        PyErr_Clear();
    PyGILState_Release(state);
    return !has_failed && isfinite(*fraction) ? 2 : LEFT;
}

/* A JSON number: 1 a whole one, 2 one with a fraction or exponent, LEFT neither or too large. */
static int
read_number(Text *text, int64_t *whole, double *fraction)
{
    const char *p = text->p, *begin = p, *end = text->end;
    int is_negative = 0, is_long = 0, is_whole = 1;
    uint64_t digits = 0;
    long places = 0, power = 0;
    if (p < end && *p == '-') {
        is_negative = 1;
        p++;
    }
    if (!is_digit(p, end))
        return LEFT;
    if (*p == '0' && is_digit(p + 1, end))
        return LEFT;
    for (; is_digit(p, end); p++) {
        is_long |= digits > 900000000000000000u;
        digits = digits * 10 + (uint64_t)(*p - '0');
    }
    if (p < end && *p == '.') {
        is_whole = 0;
        const char *dot = p++;
        if (!is_digit(p, end))
            return LEFT;
        for (; is_digit(p, end); p++) {
            is_long |= digits > 900000000000000000u;
            digits = digits * 10 + (uint64_t)(*p - '0');
        }
        places = (long)(p - dot - 1);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        is_whole = 0;
        p++;
        int is_small = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        if (!is_digit(p, end))
            return LEFT;
        for (; is_digit(p, end); p++)
            if (power < 100000)
                power = power * 10 + (*p - '0');
        power = is_small ? -power : power;
    }
    text->p = p;
    if (is_whole) {
        if (is_long)
            return LEFT;
        *whole = is_negative ? -(int64_t)digits : (int64_t)digits;
        return 1;
    }
    power -= places;
    double found;
    if (is_long || FLT_EVAL_METHOD != 0)
        return read_slowly(begin, p, fraction);
    if (digits < EXACT && power <= 0 && power >= -22)
        found = (double)digits / TENS[-power];
    else if (digits < EXACT && power > 0 && power <= 22)
        found = (double)digits * TENS[power];
#ifdef __SIZEOF_INT128__
    else if (digits && power < 0 && power > -20)
        found = ratio(digits, (int)-power);
#endif
    else
        return read_slowly(begin, p, fraction);
    *fraction = is_negative ? -found : found;
    return 2;
}

/* Nanoseconds in the unit that the size of a whole number tells (times.py). */
static int64_t
unit_of(int64_t raw)
{
    if (raw < 100000000000LL)
        return 1000000000LL;
    if (raw < 100000000000000LL)
        return 1000000LL;
    return raw < 100000000000000000LL ? 1000LL : 1LL;
}

static int
digits_of(const char *p, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(p + i, p + count))
            return -1;
        found = found * 10 + (p[i] - '0');
    }
    return found;
}

/* "2026-11-22T10:00:00.123Z" with 0 to 9 digits of a fraction, and nothing else. */
static int
read_iso(Text *text, int64_t *moment)
{
    static const int8_t LONGEST[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = text->p;
    if (text->end - p < 22 || p[0] != '"' || p[5] != '-' || p[8] != '-' || p[11] != 'T' ||
        p[14] != ':' || p[17] != ':')
        return LEFT;
    int year = digits_of(p + 1, 4), month = digits_of(p + 6, 2), day = digits_of(p + 9, 2);
    int hour = digits_of(p + 12, 2), minute = digits_of(p + 15, 2), second = digits_of(p + 18, 2);
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > LONGEST[month - 1] || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 59)
        return LEFT;
    int is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !is_leap)
        return LEFT;
    p += 20;
    int64_t fraction = 0;
    if (*p == '.') {
        int count = 0;
        for (p++; is_digit(p, text->end) && count < 9; p++, count++)
            fraction = fraction * 10 + (*p - '0');
        if (count == 0)
            return LEFT;
        for (; count < 9; count++)
            fraction *= 10;
    }
    if (text->end - p < 2 || p[0] != 'Z' || p[1] != '"')
        return LEFT;
    text->p = p + 2;
    int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
                   (153 * m + 2) / 5 + day - 1 - 719468;
    *moment = (days * 86400 + hour * 3600 + minute * 60 + second) * 1000000000LL + fraction;
    return TAKEN;
}

/* A time that is not after `limit`, in ns. */
static int
read_moment(Text *text, int64_t limit, int64_t *moment)
{
    if (next_is(text, '"'))
        return read_iso(text, moment) && *moment <= limit;
    int64_t whole = 0;
    double raw = 0;
    int kind = read_number(text, &whole, &raw);
    if (kind == 1) {
        if (whole < 0 || whole > limit / unit_of(whole))
            return LEFT;
        *moment = whole * unit_of(whole);
        return TAKEN;
    }
    if (kind != 2 || !(raw >= 0 && raw < 1e14))
        return LEFT;
    whole = (int64_t)raw;
    double rest = raw - (double)whole; /* read to the us, as read_time does */
    int64_t unit = raw < 1e11 ? 1000000000LL : 1000000LL;
    if (whole > limit / unit)
        return LEFT;
    int64_t more = (int64_t)rint(rest * (raw < 1e11 ? 1e6 : 1e3)) * 1000;
    *moment = whole * unit;
    if (more > limit - *moment)
        return LEFT;
    *moment += more;
    return TAKEN;
}

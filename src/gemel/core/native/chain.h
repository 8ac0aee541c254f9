/* The hashes that bind edits to those before them (core/chain.py), where the processor has
   instructions for SHA-256; everywhere else OpenSSL's, called from Python, are as good. */

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>

static const uint32_t sha_rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* Whether there are SHA, SSE4.1 and SSSE3. */
static int
has_sha(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29)) != 0;
}

__attribute__((target("sha,sse4.1,ssse3"))) static void
sha_blocks(uint32_t *state, const uint8_t *data, size_t blocks)
{
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
    for (; blocks; blocks--, data += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh, words[4];
        for (int i = 0; i < 16; i++) {
            __m128i *now = &words[i & 3], last = words[(i + 3) & 3];
            if (i < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), order);
            } else {
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, words[(i + 1) & 3]),
                                            _mm_alignr_epi8(last, words[(i + 2) & 3], 4));
                *now = _mm_sha256msg2_epu32(sum, last);
            }
            __m128i add = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)&sha_rounds[4 * i]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, add);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(add, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    low = _mm_shuffle_epi32(abef, 0x1B);
    high = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(low, high, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(high, low, 8));
}
#else
static int
has_sha(void)
{
    return 0;
}

static void
sha_blocks(uint32_t *state, const uint8_t *data, size_t blocks)
{
    (void)state, (void)data, (void)blocks; /* never called: has_sha says no */
}
#endif

static void
sha256(const uint8_t *data, size_t size, uint8_t *out)
{
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    sha_blocks(state, data, size / 64);
    uint8_t last[128] = {0};
    size_t rest = size % 64, padded = rest < 56 ? 64 : 128;
    memcpy(last, data + (size - rest), rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        last[padded - 1 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    sha_blocks(state, last, padded / 64);
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

typedef struct {
    uint8_t *bytes;
    size_t size, room;
} Writing;

static int
make_room(Writing *text, size_t more)
{
    if (text->room - text->size >= more)
        return 0;
    size_t room = 2 * text->room + more;
    uint8_t *bytes = PyMem_Realloc(text->bytes, room);
    if (bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    text->bytes = bytes;
    text->room = room;
    return 0;
}

/* Adds a string as JSON, as orjson writes it; LEFT for what is no string or no UTF-8. */
static int
add_string(Writing *text, PyObject *string)
{
    Py_ssize_t size;
    const char *found = PyUnicode_Check(string) ? PyUnicode_AsUTF8AndSize(string, &size) : NULL;
    if (found == NULL) {
        PyErr_Clear();
        return LEFT;
    }
    if (make_room(text, 6 * (size_t)size + 3) < 0)
        return FAILED;
    uint8_t *out = text->bytes + text->size;
    *out++ = '"';
    for (Py_ssize_t i = 0; i < size; i++) {
        static const char short_forms[] = "btn?fr"; /* from 8; 11 has none */
        uint8_t byte = (uint8_t)found[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\') {
            *out++ = byte;
            continue;
        }
        *out++ = '\\';
        if (byte >= 0x20) {
            *out++ = byte;
        } else if (byte >= 8 && byte <= 13 && byte != 11) {
            *out++ = (uint8_t)short_forms[byte - 8];
        } else {
            memcpy(out, byte < 16 ? "u000" : "u001", 4);
            out[4] = (uint8_t)"0123456789abcdef"[byte % 16];
            out += 5;
        }
    }
    *out++ = '"';
    *out++ = ',';
    text->size = (size_t)(out - text->bytes);
    return TAKEN;
}

/* Adds an integer and a comma. */
static int
add_number(Writing *text, long long number)
{
    if (make_room(text, 24) < 0)
        return FAILED;
    text->size += (size_t)snprintf((char *)text->bytes + text->size, 24, "%lld,", number);
    return TAKEN;
}

/* Adds the digest of a document in hex, null without one, and a comma. */
static int
add_digest(Writing *text, PyObject *doc)
{
    if (make_room(text, 67) < 0)
        return FAILED;
    uint8_t *out = text->bytes + text->size;
    if (doc == Py_None) {
        memcpy(out, "null,", 5);
        text->size += 5;
        return TAKEN;
    }
    if (!PyBytes_Check(doc))
        return LEFT;
    uint8_t digest[32];
    sha256((const uint8_t *)PyBytes_AS_STRING(doc), (size_t)PyBytes_GET_SIZE(doc), digest);
    *out++ = '"';
    for (int i = 0; i < 32; i++) {
        *out++ = (uint8_t)"0123456789abcdef"[digest[i] >> 4];
        *out++ = (uint8_t)"0123456789abcdef"[digest[i] & 15];
    }
    *out++ = '"';
    *out = ',';
    text->size += 67;
    return TAKEN;
}

/* Writes [seq, kind, key, digest, time, who, why, etag] of a row behind the hash before it. */
static int
write_link(Writing *text, long long seq, PyObject *row)
{
    if (!PyTuple_Check(row) || PyTuple_GET_SIZE(row) != 7)
        return LEFT;
    if (!PyLong_Check(PyTuple_GET_ITEM(row, 3)))
        return LEFT;
    long long time = PyLong_AsLongLong(PyTuple_GET_ITEM(row, 3));
    if (time == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return LEFT;
    }
    text->size = 32;
    text->bytes[text->size++] = '[';
    int done = add_number(text, seq);
    for (int i = 0; i < 7 && done == TAKEN; i++) {
        PyObject *item = PyTuple_GET_ITEM(row, i);
        done = i == 2   ? add_digest(text, item)
               : i == 3 ? add_number(text, time)
                        : add_string(text, item);
    }
    if (done == TAKEN)
        text->bytes[text->size - 1] = ']';
    return done;
}

static PyObject *
fast_chain(PyObject *module, PyObject *args)
{
    Py_buffer before;
    long long seq;
    PyObject *rows;
    if (!PyArg_ParseTuple(args, "y*LO!", &before, &seq, &PyList_Type, &rows))
        return NULL;
    Writing text = {PyMem_Malloc(1024), 0, 1024};
    PyObject *found = before.len == 32 && has_sha() ? PyList_New(0) : NULL;
    int done = text.bytes == NULL ? FAILED : found == NULL ? LEFT : TAKEN;
    if (done == TAKEN)
        memcpy(text.bytes, before.buf, 32);
    for (Py_ssize_t i = 0; done == TAKEN && i < PyList_GET_SIZE(rows); i++) {
        done = write_link(&text, ++seq, PyList_GET_ITEM(rows, i));
        if (done != TAKEN)
            break;
        uint8_t hash[32];
        sha256(text.bytes, text.size, hash);
        memcpy(text.bytes, hash, 32);
        PyObject *one = PyBytes_FromStringAndSize((char *)hash, 32);
        if (one == NULL || PyList_Append(found, one) < 0)
            done = FAILED;
        Py_XDECREF(one);
    }
    PyMem_Free(text.bytes);
    PyBuffer_Release(&before);
    if (done == TAKEN)
        return found;
    Py_XDECREF(found);
    if (done == LEFT && !PyErr_Occurred())
        Py_RETURN_NONE;
    return PyErr_Occurred() ? NULL : PyErr_NoMemory();
}

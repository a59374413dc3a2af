// A decimal number of a text table, as the double nearest to it.
#pragma once

#include <cmath>
#include <cstdint>

namespace eigenmlp {

/// What stands between fields, and between a number's whole part and its fraction.
struct Marks {
  char separator, point;
};

/// Past spaces, tabs and the carriage returns of other systems' line ends, unless they separate.
inline const char* past_spaces(const char* at, const char* end, Marks marks) {
  while (at != end && (*at == ' ' || *at == '\t' || *at == '\r') && *at != marks.separator) ++at;
  return at;
}

/// One field: a sign, digits with a point, an exponent; spaces around them.
///
/// Up to 19 digits with a power of ten to 10²² are a quotient or product of two doubles and an
/// integer, computed to twice a double's digits; where that is too near the middle of two doubles
/// to tell, and beyond, `exact` is false and the text has to be read with care.
struct Decimal {
  const char* begin;          // of the number
  const char* end;            // of the number
  const char* next = nullptr; // the separator or line end behind it, or the text's end
  double value = 0;
  bool ok = false;    // it is a number
  bool exact = false; // `value` is the double nearest to it

  Decimal(const char* at, const char* last, Marks marks)
      : begin(past_spaces(at, last, marks)), end(begin) {
    const bool negative = end != last && *end == '-';
    if (end != last && (*end == '-' || *end == '+')) ++end;

    std::uint64_t digits = 0; // all of them, as an integer
    int significant = 0, exponent = 0;
    bool any = false, fraction = false;
    for (; end != last; ++end) {
      if (*end == marks.point && !fraction) {
        fraction = true;
        continue;
      }
      const unsigned digit = static_cast<unsigned char>(*end) - unsigned{'0'};
      if (digit > 9) break;
      any = true;
      if ((significant || digit) && significant <= 19) ++significant;
      if (significant <= 19) digits = 10 * digits + digit;
      if (fraction && exponent > -100'000) --exponent;
    }
    if (!any) return;
    if (end != last && (*end == 'e' || *end == 'E') && !read_exponent(last, exponent)) return;

    next = past_spaces(end, last, marks);
    ok = next == last || *next == marks.separator || *next == '\n';
    if (significant > 19) return;
    exact = digits == 0 || (exponent >= -22 && exponent <= 22 && nearest(digits, exponent));
    if (negative) value = -value;
  }

private:
  bool read_exponent(const char* last, int& exponent) {
    const char* at = end + 1;
    const bool negative = at != last && *at == '-';
    if (at != last && (*at == '-' || *at == '+')) ++at;
    int written = 0;
    const char* const first = at;
    for (; at != last && *at >= '0' && *at <= '9'; ++at) {
      if (written < 100'000) written = 10 * written + (*at - '0');
    }
    exponent += negative ? -written : written;
    end = at;
    return at != first;
  }

  /// value = digits · 10^exponent, as `big + small`; false where rounding is in doubt.
  bool nearest(std::uint64_t digits, int exponent) {
    constexpr double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}; // all exact
    const double high = static_cast<double>(digits);
    const double low = static_cast<double>(
        static_cast<std::int64_t>(digits - static_cast<std::uint64_t>(high))); // high + low: exact
    double big = 0, small = 0;
    if (exponent >= 0) {
      const double p = powers[exponent];
      big = high * p;
      small = std::fma(high, p, -big) + low * p;
    } else {
      const double p = powers[-exponent];
      big = high / p;
      small = (std::fma(-big, p, high) + low) / p;
    }
    value = big + small;
    const double rest = small - (value - big); // to some 2⁻⁴⁸ of itself
    return value + rest * (1 + 1e-9) == value;
  }
};

} // namespace eigenmlp

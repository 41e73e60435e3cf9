//! What an answer of the collector means for the batch, and how long to wait before the next try.
//!
//! Pure: an answer's status in, a [`Verdict`] out; the OTLP specification's "Failures" (gRPC) and
//! "Failures" (HTTP) decide which statuses are retryable. Owns no clock and sends nothing.

use std::time::{Duration, SystemTime};

use tonic::Code;

/// The longest wait before the second attempt.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest wait before any attempt, unless the collector asks for more.
const LAST_DELAY: Duration = Duration::from_secs(30);
/// The longest wait that a collector may ask for.
const LONGEST_THROTTLE: Duration = Duration::from_secs(300);

/// What the collector's answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Everything was taken but for this many records, which are not to be sent again.
    Accepted {
        /// `rejected_log_records` or `rejected_spans` of `partial_success`.
        rejected: u64,
    },
    /// The same request may be accepted later, not before `after` if the collector named a time.
    Retryable {
        /// `RetryInfo.retry_delay` or `Retry-After`.
        after: Option<Duration>,
    },
    /// A smaller request may be accepted.
    TooLarge,
    /// It will never be accepted.
    Refused,
}

/// The verdict on a gRPC status that is not `OK`; `after` is the delay in its `RetryInfo`.
pub(super) fn grpc(code: Code, after: Option<Duration>) -> Verdict {
    match code {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => Verdict::Retryable { after },
        Code::ResourceExhausted if after.is_some() => Verdict::Retryable { after },
        Code::ResourceExhausted => Verdict::TooLarge,
        Code::Ok => Verdict::Accepted { rejected: 0 },
        Code::Unknown
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Unimplemented
        | Code::Internal
        | Code::Unauthenticated => Verdict::Refused,
    }
}

/// The verdict on an HTTP status that is not 2xx; `after` is the delay in its `Retry-After`.
pub(super) fn http(status: u16, after: Option<Duration>) -> Verdict {
    match status {
        429 | 502 | 503 | 504 => Verdict::Retryable { after },
        413 => Verdict::TooLarge,
        _ => Verdict::Refused,
    }
}

/// The delay of a `Retry-After` field (RFC 9110 section 10.2.3): seconds, or a date.
pub(super) fn retry_after(field: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = field.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(field.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Exponential back-off with full jitter: each wait is anywhere from nothing to a bound that
/// doubles, so that agents which lost the same collector do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    bound: Duration,
}

impl Backoff {
    /// Starts with the shortest bound.
    pub(super) fn new() -> Self {
        Self { bound: FIRST_DELAY }
    }

    /// The wait before the next attempt; `share`, from 0 to 1, is the jitter. A delay that the
    /// collector named is kept to, and jittered upwards by as much as a first wait.
    pub(super) fn next(&mut self, after: Option<Duration>, share: f64) -> Duration {
        let wait = match after {
            Some(delay) => delay.min(LONGEST_THROTTLE) + FIRST_DELAY.mul_f64(share),
            None => self.bound.mul_f64(share),
        };
        self.bound = (self.bound * 2).min(LAST_DELAY);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, Verdict, grpc, http, retry_after};
    use std::time::{Duration, SystemTime};
    use tonic::Code;

    /// The table of the OTLP specification, "OTLP/gRPC Failures".
    #[test]
    fn the_retryable_grpc_codes_are_the_specifications() {
        let retryable = [1, 4, 10, 11, 14, 15];
        for code in 1..=16 {
            let expected = match code {
                8 => Verdict::TooLarge,
                _ if retryable.contains(&code) => Verdict::Retryable { after: None },
                _ => Verdict::Refused,
            };
            assert_eq!(grpc(Code::from_i32(code), None), expected, "code {code}");
        }
    }

    #[test]
    fn exhausted_resources_are_retryable_only_with_retry_info() {
        let after = Some(Duration::from_millis(1500));
        assert_eq!(grpc(Code::ResourceExhausted, after), Verdict::Retryable { after });
    }

    #[test]
    fn the_retryable_http_statuses_are_the_specifications() {
        for status in 300..600 {
            let expected = match status {
                429 | 502 | 503 | 504 => Verdict::Retryable { after: None },
                413 => Verdict::TooLarge,
                _ => Verdict::Refused,
            };
            assert_eq!(http(status, None), expected, "status {status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let date = "Sun, 06 Nov 1994 08:50:07 GMT";
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(date, now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(date, SystemTime::now()), Some(Duration::ZERO), "in the past");
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn the_bound_doubles_from_half_a_second_to_thirty() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..8).map(|_| backoff.next(None, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(Backoff::new().next(None, 0.0), Duration::ZERO);
        assert_eq!(Backoff::new().next(None, 0.5), Duration::from_millis(250));
    }

    #[test]
    fn a_throttle_is_honoured_up_to_five_minutes() {
        let next = |seconds| Backoff::new().next(Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(next(12), Duration::from_secs(12));
        assert_eq!(next(4000), Duration::from_secs(300));
    }
}

//! How sure it is which request the next response answers.

/// Whether the next response is known to answer the oldest request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairing {
    InStep,
    /// In step unless the client pipelines, which would show before the next response.
    Presumed,
    /// Requests were lost whose responses have not been seen.
    Ahead,
    /// Everything is given on its own. `answered`: responses came since the last request.
    Suspended {
        answered: bool,
    },
    /// As `Suspended`, for good.
    Over,
}

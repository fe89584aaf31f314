#pragma once

namespace laminar::core {

/// What a SourceExchange throws to leave a layer's forward once it has taken the rows that it wanted: no error, so
/// whoever calls a layer lets it pass.
struct ForwardLeft {};

}  // namespace laminar::core

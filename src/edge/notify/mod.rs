//! Notifiers: one alert to one recipient over one channel.

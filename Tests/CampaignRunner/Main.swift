// The command line of jobrunner with the job of the crash campaign.

import StreamJobs
import StreamJobsCLI

@main struct CampaignRunner: JobRunner {
    static let jobs = [ledger]
}
